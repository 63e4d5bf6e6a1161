"""Rows to tokens: a split written as an Arrow file, a few chunks of rows in memory at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mtkd.batching import ahead
from mtkd.examples.example import Example
from mtkd.examples.fingerprint import Fingerprint
from mtkd.examples.truncate import Tokens, truncated

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerBase

_CHUNK = 1000  # rows tokenised together; the fast tokenizer spreads them over all cores
_CHUNK_CHARACTERS = 500_000  # after which a chunk ends too: a token takes 100 bytes or more
# looked at of a text: a token of 100 characters is no word of any language
_CHARACTERS, _CHARACTERS_A_TOKEN = 100_000, 100


@dataclasses.dataclass(frozen=True)
class SplitInfo:
    """What `tokenise` saw: rows, rows cut at the maximum length, tokens, data fingerprint."""

    rows: int
    cut: int
    tokens: int
    fingerprint: str


def tokenise(
    examples: Iterable[Example],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    path: Path,
) -> SplitInfo:
    """Tokenise examples and write them to `path` as an Arrow stream, a chunk at a time.

    Args: tokenizer: a fast one. max_length: in word pieces, specials included; of a pair the longer
        text is cut first. Of a text longer than 100,000 characters, and than 100 a word piece, the
        rest is not looked at: a tokenizer takes hundreds of bytes a character.
    Columns: guid; texts; label (float64, null where unknown); input_ids; token_type_ids where the
        encoder has them; segments (0 special, 1 first text, 2 second text); length.
    """
    schema = _schema("token_type_ids" in tokenizer.model_input_names)
    longest = max(_CHARACTERS, _CHARACTERS_A_TOKEN * max_length)
    keeps_end = tokenizer.truncation_side == "left"
    encode = _encoder(tokenizer, slice(-longest, None) if keeps_end else slice(longest))
    fingerprint = Fingerprint()
    rows = cut = tokens = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        # the tokenizer, in Rust, does the next chunk while this one is written
        for chunk, encodings in ahead(encode, _chunks(examples)):
            for example in chunk:
                fingerprint.add(example)
            found = [truncated(e, max_length, keeps_end=keeps_end) for e in encodings]
            batch = _batch(chunk, found, schema)
            writer.write_batch(batch)
            rows += len(chunk)
            cut += sum(
                row.is_cut or max(map(len, example.texts)) > longest
                for example, row in zip(chunk, found, strict=True)
            )
            tokens += pc.sum(batch.column("length")).as_py()
    return SplitInfo(rows, cut, tokens, fingerprint.hexdigest())


def _encoder(
    tokenizer: PreTrainedTokenizerBase, looked_at: slice
) -> Callable[[list[Example]], tuple[list[Example], list[Encoding]]]:
    """Return a function from rows to them and their tokens, by the tokenizer's own Rust function.

    `tokenizer(...)` would set it in the same way, but makes lists that nobody here reads, and has
    offsets computed, which take an eighth to a sixth of its time.

    Args: looked_at: the part of each text.
    """
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = tokenizer.split_special_tokens

    def encode(chunk: list[Example]) -> tuple[list[Example], list[Encoding]]:
        texts = [tuple(text[looked_at] for text in e.texts) for e in chunk]
        return chunk, backend.encode_batch_fast([t if len(t) > 1 else t[0] for t in texts])

    return encode


def _chunks(examples: Iterable[Example]) -> Iterator[list[Example]]:
    chunk: list[Example] = []
    characters = 0
    for example in examples:
        chunk.append(example)
        characters += sum(map(len, example.texts))
        if len(chunk) == _CHUNK or characters > _CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _batch(chunk: list[Example], rows: list[Tokens], schema: pa.Schema) -> pa.RecordBatch:
    lengths = np.fromiter((len(row.ids) for row in rows), np.int32, len(rows))
    ends = np.concatenate([[0], lengths.cumsum()])
    tokens = int(ends[-1])
    offsets = pa.array(ends, pa.int32())
    # which text a token is of, null for specials: not every encoder tells texts apart by types
    texts = pa.array([text for row in rows for text in row.texts], pa.int8())
    flat = {
        "input_ids": np.fromiter(chain.from_iterable(row.ids for row in rows), np.int32, tokens),
        "segments": pc.fill_null(pc.add(texts, pa.scalar(1, pa.int8())), 0),
    }
    if "token_type_ids" in schema.names:
        types = chain.from_iterable(row.types for row in rows)
        flat["token_type_ids"] = np.fromiter(types, np.int8, tokens)
    columns = {
        "guid": pa.array([e.guid for e in chunk]),
        "texts": pa.array([e.texts for e in chunk], pa.list_(pa.string())),
        "label": pa.array([e.label for e in chunk], pa.float64()),
        "length": pa.array(lengths),
        **{name: pa.ListArray.from_arrays(offsets, values) for name, values in flat.items()},
    }
    return pa.record_batch([columns[name] for name in schema.names], schema=schema)


def _schema(has_types: bool) -> pa.Schema:
    fields = [
        ("guid", pa.string()),
        ("texts", pa.list_(pa.string())),
        ("label", pa.float64()),
        ("input_ids", pa.list_(pa.int32())),
        ("segments", pa.list_(pa.int8())),
        ("length", pa.int32()),
    ]
    if has_types:
        fields.append(("token_type_ids", pa.list_(pa.int8())))
    return pa.schema(fields)
