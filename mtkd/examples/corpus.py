"""Texts to rows of tokens on disk, a chunk at a time: what an encoder is distilled on."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mtkd.batching import ahead
from mtkd.encoders import vocabulary_size
from mtkd.errors import DataError, EncoderError
from mtkd.examples.sentences import parts, sentences
from mtkd.recipe.compress import CorpusSettings
from mtkd.recipe.seeds import derive_seed

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Split = Literal["train", "dev"]
SPLITS: tuple[Split, Split] = ("train", "dev")
_CHUNK = 1000  # texts tokenised together; the fast tokenizer spreads them over all cores
_CHUNK_CHARACTERS = 500_000
_SCHEMA = pa.schema([("guid", pa.string()), ("input_ids", pa.list_(pa.int32())),
                     ("length", pa.int32())])  # fmt: skip


@dataclasses.dataclass
class CorpusInfo:
    """What was seen: texts, and rows and tokens by split; rows left out, and why."""

    texts: int = 0
    rows: dict[str, int] = dataclasses.field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    tokens: dict[str, int] = dataclasses.field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    short: int = 0
    unknown: int = 0


def write_corpus(
    texts: Iterable[str],
    tokenizer: PreTrainedTokenizerBase,
    settings: CorpusSettings,
    seed: int,
    folder: Path,
) -> tuple[CorpusInfo, NDArray[np.int64]]:
    """Write train.arrow and dev.arrow: guid, input_ids with the encoder's specials, length.

    By `settings.unit` a row is a text, a sentence, or what follows one after another cut into full
    blocks; what is longer makes several rows. Whether a text goes to dev follows from the text
    itself, so one that occurs twice is not on both sides; so it is for each sentence, where rows
    are sentences. Memory is that of some chunks.

    Returns: what was seen, and how often each token id is in train, (vocabulary,).
    Raises: DataError: no rows are left for train or for dev. EncoderError: the tokenizer is not one
        of a masked-language model.
    """
    info = CorpusInfo()
    counts = np.zeros(vocabulary_size(tokenizer), dtype=np.int64)
    rows = _Rows(tokenizer, settings, info)
    pieces = _pieces(texts, settings, seed, info)
    with ExitStack() as open_files:
        files = {split: _Writer(folder, split, open_files) for split in SPLITS}
        encode = _encoder(tokenizer)
        for sides, ids in ahead(encode, _chunks(pieces)):
            for split in SPLITS:
                own = [own for own, side in zip(ids, sides, strict=True) if side == split]
                found = rows.of(own, split)
                files[split].write(found)
                if split == "train" and found:
                    counts += np.bincount(np.concatenate(found), minlength=len(counts))
        for split in SPLITS:
            last = rows.rest(split)
            files[split].write(last)
            if split == "train" and last:
                counts += np.bincount(last[0], minlength=len(counts))
    _check(info, settings)
    return info, counts


class _Rows:
    """Cuts texts or sentences to rows, and leaves out what teaches little."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        settings: CorpusSettings,
        info: CorpusInfo,
    ) -> None:
        self._unknown, self._settings, self._info = tokenizer.unk_token_id, settings, info
        self._first, self._last = _ends(tokenizer)
        self._room = settings.max_length - 2
        self._left: dict[str, list[int]] = {split: [] for split in SPLITS}

    def of(self, texts: Iterable[list[int]], split: Split) -> list[NDArray[np.int32]]:
        """Return the rows that some texts make."""
        if self._settings.unit != "block":
            pieces = (
                ids[i : i + self._room] for ids in texts for i in range(0, len(ids), self._room)
            )
        else:
            joined = self._left[split]
            for ids in texts:
                joined += ids
            whole = len(joined) - len(joined) % self._room
            pieces = (joined[i : i + self._room] for i in range(0, whole, self._room))
            self._left[split] = joined[whole:]
        return list(self._kept(pieces, split))

    def rest(self, split: Split) -> list[NDArray[np.int32]]:
        """Return the last block, which is not full."""
        return list(self._kept([self._left[split]] if self._left[split] else [], split))

    def _kept(self, pieces: Iterable[list[int]], split: Split) -> Iterator[NDArray[np.int32]]:
        for piece in pieces:
            if len(piece) < self._settings.min_tokens:
                self._info.short += 1
            elif piece.count(self._unknown) > self._settings.max_unknown * len(piece):
                self._info.unknown += 1
            else:
                row = [self._first, *piece, self._last]
                self._info.rows[split] += 1
                self._info.tokens[split] += len(row)
                yield np.array(row, dtype=np.int32)


class _Writer:
    """One split's Arrow stream."""

    def __init__(self, folder: Path, split: Split, files: ExitStack) -> None:
        self._split, self._rows = split, 0
        sink = files.enter_context(pa.OSFile(str(folder / f"{split}.arrow"), "wb"))
        self._stream = files.enter_context(pa.ipc.new_stream(sink, _SCHEMA))

    def write(self, rows: list[NDArray[np.int32]]) -> None:
        if not rows:
            return
        lengths = np.array([len(row) for row in rows], dtype=np.int32)
        offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int32)
        numbers = range(self._rows, self._rows + len(rows))
        columns = [
            pa.array([f"corpus/{self._split}/{number}" for number in numbers]),
            pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(rows))),
            pa.array(lengths),
        ]
        self._stream.write_batch(pa.record_batch(columns, schema=_SCHEMA))
        self._rows += len(rows)


def _encoder(
    tokenizer: PreTrainedTokenizerBase,
) -> Callable[[list[tuple[str, Split]]], tuple[list[Split], list[list[int]]]]:
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()

    def encode(chunk: list[tuple[str, Split]]) -> tuple[list[Split], list[list[int]]]:
        texts = [text for text, _ in chunk]
        found = backend.encode_batch_fast(texts, add_special_tokens=False)
        return [side for _, side in chunk], [encoding.ids for encoding in found]

    return encode


def _ends(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    """Return what comes before and after a text."""
    specials = tokenizer("")["input_ids"]
    if len(specials) != 2 or None in (tokenizer.mask_token_id, tokenizer.pad_token_id):
        raise EncoderError("teacher.encoder: its tokenizer is not one of a masked-language model: "
                           "expected a token at each end of a text, one for masks and one for "
                           f"padding, found {tokenizer.special_tokens_map}")  # fmt: skip
    return specials[0], specials[1]


def _pieces(
    texts: Iterable[str], settings: CorpusSettings, seed: int, info: CorpusInfo
) -> Iterator[tuple[str, Split]]:
    """Yield what is tokenised by itself, with its side: texts, sentences, parts of long ones."""
    for text in texts:
        if not text:
            continue
        info.texts += 1
        for whole in sentences(text) if settings.unit == "sentence" else (text,):
            side = _side(whole, settings.dev_share, seed)
            for part in parts(whole):
                yield part, side


def _chunks(pieces: Iterable[tuple[str, Split]]) -> Iterator[list[tuple[str, Split]]]:
    chunk: list[tuple[str, Split]] = []
    characters = 0
    for piece in pieces:
        chunk.append(piece)
        characters += len(piece[0])
        if len(chunk) == _CHUNK or characters > _CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _side(text: str, dev_share: float, seed: int) -> Split:
    digest = hashlib.sha256(f"{derive_seed(seed, 'dev')}/{text}".encode()).digest()
    return "dev" if int.from_bytes(digest[:8]) < dev_share * 2**64 else "train"


def _check(info: CorpusInfo, settings: CorpusSettings) -> None:
    if not sum(info.rows.values()):
        raise DataError(
            f"corpus: no row is left to learn from: of {info.texts} texts {info.short} rows are "
            f"shorter than corpus.min_tokens={settings.min_tokens}, and {info.unknown} have a "
            f"larger share of unknown words than corpus.max_unknown={settings.max_unknown:g}; give "
            "more text, or change those keys"
        )
    if not info.rows["train"]:
        raise DataError(f"corpus.dev_share={settings.dev_share:g}: all {info.rows['dev']} rows are "
                        "held out, and none is left to learn from; lower it, or give more text"
                        )  # fmt: skip
    if not info.rows["dev"]:
        raise DataError(f"corpus.dev_share={settings.dev_share:g}: none of {info.rows['train']} "
                        "rows is held out to see what is learnt; raise it, or give more text"
                        )  # fmt: skip
