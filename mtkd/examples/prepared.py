"""Tokenised splits on disk, read by memory map: columns as arrays, batches as tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtkd.batching.collate import collate
from mtkd.errors import RunDirError

_INPUTS = ("input_ids", "segments", "token_type_ids")


class PreparedSplit:
    """One tokenised split of one task, or several as one."""

    def __init__(self, paths: Path | Sequence[Path], pad_token_id: int) -> None:
        files = [paths] if isinstance(paths, Path) else paths
        self.dataset = datasets.concatenate_datasets([_open(path) for path in files])
        self.pad_token_id = pad_token_id
        data = self.dataset.data
        self._inputs = {n: _Lists(data.column(n)) for n in _INPUTS if n in data.column_names}

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
        columns = {name: lists.take(rows) for name, lists in self._inputs.items()}
        return collate(columns, self.pad_token_id)

    def tokens(self, rows: Sequence[int] | NDArray[np.int64]) -> list[NDArray[np.integer]]:
        """Return the token ids of some rows, each as long as it is."""
        return self._inputs["input_ids"].take(rows)

    def same_tokens(self, other: PreparedSplit) -> bool:
        """Return whether the rows are the same, cut to the same tokens."""
        own, theirs = self.dataset.data, other.dataset.data
        names = ("guid", "input_ids")
        return all(own.column(name).equals(theirs.column(name)) for name in names)

    def gold(self, rows: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """Return the gold labels of some rows, float32, NaN where unknown."""
        return torch.as_tensor(self.labels[rows], dtype=torch.float32)


class _Lists:
    """A column of lists, each of which is a view of the file: ten times as fast as `datasets`."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        chunks = [chunk for chunk in column.chunks if len(chunk)]
        self._starts = np.cumsum([0, *(len(chunk) for chunk in chunks)])
        self._offsets = [chunk.offsets.to_numpy() for chunk in chunks]
        self._values = [chunk.values.to_numpy() for chunk in chunks]

    def take(self, rows: Iterable[int]) -> list[NDArray[np.integer]]:
        """Return the lists of some rows."""
        numbers = np.asarray(rows)
        chunks = np.searchsorted(self._starts, numbers, side="right") - 1
        found = []
        for chunk, place in zip(chunks, numbers - self._starts[chunks], strict=True):
            begin, end = self._offsets[chunk][place : place + 2]
            found.append(self._values[chunk][begin:end])
        return found


def _open(path: Path) -> datasets.Dataset:
    try:
        return datasets.Dataset.from_file(str(path))
    except (OSError, pa.ArrowInvalid) as error:
        raise RunDirError(f"{path}: cannot be read ({error}); delete {path.parent}") from error
