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
from mtkd.errors import DataError
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

    By `settings.unit` a row is a text, or what follows one after another cut into full blocks; a
    longer text makes several rows. Whether a text goes to dev follows from the text itself, so one
    that occurs twice is not on both sides. Memory is that of some chunks.

    Returns: what was seen, and how often each token id is in train, (vocabulary,).
    Raises: DataError: no rows are left for train or for dev.
    """
    info = CorpusInfo()
    counts = np.zeros(len(tokenizer), dtype=np.int64)
    rows = _Rows(tokenizer, settings, info)
    with ExitStack() as open_files:
        files = {split: _Writer(folder, split, open_files) for split in SPLITS}
        encode = _encoder(tokenizer)
        for chunk, ids in ahead(encode, _chunks(texts, info)):
            sides = [_side(text, settings.dev_share, seed) for text in chunk]
            for split in SPLITS:
                own = [own for own, side in zip(ids, sides, strict=True) if side == split]
                found = rows.of(own, split)
                files[split].write(found)
                if split == "train" and found:
                    counts += np.bincount(np.concatenate(found), minlength=len(counts))
        for split in SPLITS:  # last blocks, which are not full, and too few to be counted
            files[split].write(rows.rest(split))
    _check(info, settings)
    return info, counts


class _Rows:
    """Cuts texts to rows, and leaves out what teaches little."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        settings: CorpusSettings,
        info: CorpusInfo,
    ) -> None:
        self._unknown, self._settings, self._info = tokenizer.unk_token_id, settings, info
        self._first, self._last = tokenizer("")["input_ids"]
        self._room = settings.max_length - 2
        self._left: dict[str, list[int]] = {split: [] for split in SPLITS}

    def of(self, texts: Iterable[list[int]], split: Split) -> list[NDArray[np.int32]]:
        """Return the rows that some texts make."""
        if self._settings.unit == "text":
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
) -> Callable[[list[str]], tuple[list[str], list[list[int]]]]:
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()

    def encode(chunk: list[str]) -> tuple[list[str], list[list[int]]]:
        found = backend.encode_batch_fast(chunk, add_special_tokens=False)
        return chunk, [encoding.ids for encoding in found]

    return encode


def _chunks(texts: Iterable[str], info: CorpusInfo) -> Iterator[list[str]]:
    chunk: list[str] = []
    characters = 0
    for text in texts:
        if not text:
            continue
        info.texts += 1
        chunk.append(text)
        characters += len(text)
        if len(chunk) == _CHUNK or characters > _CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _side(text: str, dev_share: float, seed: int) -> Split:
    digest = hashlib.sha256(f"{derive_seed(seed, 'dev')}/{text}".encode()).digest()
    return "dev" if int.from_bytes(digest[:8]) < dev_share * 2**64 else "train"


def _check(info: CorpusInfo, settings: CorpusSettings) -> None:
    left_out = (f"of {info.texts} texts {info.short} rows are shorter than corpus.min_tokens="
                f"{settings.min_tokens}, and {info.unknown} have a larger share of unknown words "
                f"than corpus.max_unknown={settings.max_unknown:g}")  # fmt: skip
    if not info.rows["train"]:
        raise DataError(f"corpus: no row is left to learn from: {left_out}; give more text, or "
                        "change those keys")  # fmt: skip
    if not info.rows["dev"]:
        raise DataError(f"corpus.dev_share={settings.dev_share:g}: none of {info.rows['train']} "
                        "rows is held out to see what is learnt; raise it, or give more text"
                        )  # fmt: skip
