"""Tokenised splits on disk: Arrow files that are read by memory map."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import datasets
import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtkd.batching import collate
from mtkd.errors import RunDirError
from mtkd.examples.example import Example
from mtkd.examples.fingerprint import Fingerprint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_CHUNK = 1000  # rows tokenised together; the fast tokenizer spreads them over all cores


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

    Args: max_length: in word pieces, specials included; of a pair the longer text is cut first.
    Columns: guid; texts; label (float64, null where unknown); input_ids; token_type_ids where the
        encoder has them; segments (0 special, 1 first text, 2 second text); length.
    """
    has_types = "token_type_ids" in tokenizer.model_input_names
    schema = _schema(has_types)
    fingerprint = Fingerprint()
    rows = cut = tokens = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for chunk in _chunks(examples):
            for example in chunk:
                fingerprint.add(example)
            encoded = tokenizer(
                *map(list, zip(*(e.texts for e in chunk), strict=True)),
                truncation="longest_first",
                max_length=max_length,
                return_token_type_ids=has_types,
                return_attention_mask=False,
            )
            ids = encoded["input_ids"]
            columns = {
                "guid": [e.guid for e in chunk],
                "texts": [list(e.texts) for e in chunk],
                "label": [None if e.label is None else float(e.label) for e in chunk],
                "input_ids": ids,
                "segments": [
                    [0 if s is None else s + 1 for s in encoded.sequence_ids(i)]
                    for i in range(len(chunk))
                ],
                "length": [len(row) for row in ids],
            }
            if has_types:
                columns["token_type_ids"] = encoded["token_type_ids"]
            writer.write_batch(pa.RecordBatch.from_pydict(columns, schema=schema))
            rows += len(chunk)
            cut += sum(bool(encoded.encodings[i].overflowing) for i in range(len(chunk)))
            tokens += sum(columns["length"])
    return SplitInfo(rows, cut, tokens, fingerprint.hexdigest())


class PreparedSplit:
    """One tokenised split of one task, or several as one: columns as arrays, batches as tensors."""

    def __init__(self, paths: Path | Sequence[Path], pad_token_id: int) -> None:
        files = [paths] if isinstance(paths, Path) else paths
        self.dataset = datasets.concatenate_datasets([_open(path) for path in files])
        self._pad_token_id = pad_token_id
        names = ("input_ids", "segments", "token_type_ids")
        self._inputs = self.dataset.select_columns(
            [name for name in names if name in self.dataset.column_names]
        )

    def __len__(self) -> int:
        return len(self.dataset)

    @cached_property
    def guids(self) -> list[str]:
        """Return the guid of every row."""
        return self.guid_column.to_pylist()

    @property
    def guid_column(self) -> pa.ChunkedArray:
        """Return the guid of every row, (rows,) strings as they lie on disk."""
        return self.dataset.data.column("guid")

    @cached_property
    def labels(self) -> NDArray[np.float64]:
        """Return the gold label of every row, (rows,): class index or score, NaN if unknown."""
        return self.dataset.data.column("label").to_numpy().astype(np.float64)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Return the number of tokens of every row."""
        return self.dataset.data.column("length").to_numpy().astype(np.int64)

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """Return a number for each row's first text: rows of one question share it."""
        first = [texts[0] for texts in self.dataset.data.column("texts").to_pylist()]
        numbers = {text: i for i, text in enumerate(dict.fromkeys(first))}
        return np.array([numbers[text] for text in first], dtype=np.int64)

    def batch(self, rows: Sequence[int] | NDArray[np.int64]) -> dict[str, Tensor]:
        """Return the padded inputs of some rows."""
        return collate(self._inputs[rows], self._pad_token_id)

    def gold(self, rows: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """Return the gold labels of some rows, float32, NaN where unknown."""
        return torch.as_tensor(self.labels[rows], dtype=torch.float32)


def _open(path: Path) -> datasets.Dataset:
    try:
        return datasets.Dataset.from_file(str(path))
    except (OSError, pa.ArrowInvalid) as error:
        raise RunDirError(f"{path}: cannot be read ({error}); delete {path.parent}") from error


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


def _chunks(examples: Iterable[Example]) -> Iterator[list[Example]]:
    chunk: list[Example] = []
    for example in examples:
        chunk.append(example)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
