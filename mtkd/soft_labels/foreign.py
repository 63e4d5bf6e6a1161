"""Soft labels made elsewhere, read from CSV, JSON lines, Parquet or .npy; nothing is guessed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy
from numpy.typing import NDArray

from mtkd.errors import DataError, StoreError
from mtkd.shown import reason
from mtkd.soft_labels.foreign_array import read_array, read_guids
from mtkd.soft_labels.foreign_layout import Layout, choose_layout, ordered_labels
from mtkd.soft_labels.foreign_rows import read_rows
from mtkd.soft_labels.info import StoreInfo
from mtkd.soft_labels.read import read_batches, read_info
from mtkd.task import Task

_SAME = 1e-4  # between soft labels and the same ones made anew from a store's logits


@dataclasses.dataclass(frozen=True)
class Foreign:
    """Soft labels as a file has them.

    guids: in the file's order. values: (rows, teachers, columns), NaN throughout in a row that has
    no soft label. kind: what values are: probs, logits or score. labels: the class of each column,
    in the file's order; none for scores. named: whether the file itself says so. store: of a store
    whose metadata are whole, what they say.
    """

    guids: pa.StringArray
    values: NDArray[np.float64]
    kind: str
    labels: tuple[str, ...]
    named: bool
    store: StoreInfo | None = None

    @property
    def known(self) -> NDArray[np.bool_]:
        """Return, (rows,), whether each row has a soft label."""
        return np.asarray(~np.isnan(self.values).all(axis=(1, 2)))


def read_foreign(
    path: Path,
    task: Task,
    labels: Sequence[str] | None = None,
    values: str | None = None,
    guids: Path | None = None,
) -> Foreign:
    """Read soft labels made elsewhere.

    CSV (with a header), JSON lines and Parquet have a column `guid`, and either one of lists
    (probs, logits or score; of numbers, or of such lists, one a teacher) or one a class, named by
    the class or `p(<class>)`. An .npy is (rows, classes) or (rows, teachers, classes). A store is
    read too, with its metadata or without.

    Args:
        labels: the classes in the order of columns without a name. values: probs, logits or score,
            where no column's name says it. guids: of an .npy's rows, one a line.

    Raises: DataError: the file cannot be read as what its name says, or does not say enough.
        StoreError: a store that is broken.
    """
    if values not in (None, "probs", "logits", "score"):
        raise DataError(
            f"--values {values}: expected probs or logits, or score for a regression task"
        )
    if path.suffix.lower() == ".npy":
        return _from_npy(path, task, labels, values, guids)
    if guids is not None:
        raise DataError(f"--guids {guids}: only an .npy needs them; {path} has a column guid")
    header, metadata = _header(path)
    if b"mtkd" in metadata:
        return _from_store(path, task, labels, values)
    layout = choose_layout(str(path), header, task, labels, values)
    found = _from_rows(path, layout)
    if layout.alternative is not None:
        _check_alternative(path, found, _from_rows(path, layout.alternative))
    return found


def _from_npy(
    path: Path, task: Task, labels: Sequence[str] | None, kind: str | None, guids: Path | None
) -> Foreign:
    if guids is None:
        raise DataError(f"{path}: an array has no guids, and nothing is joined by position: give "
                        "--guids FILE, a text file with one guid a line")  # fmt: skip
    if kind is None and task.labels:
        raise DataError(f"{path}: an array does not say what it holds: give --values probs or "
                        "--values logits")  # fmt: skip
    order = ordered_labels(str(path), task, labels)
    array = read_array(path)
    shape = f"(rows, {task.num_outputs}) or (rows, teachers, {task.num_outputs})"
    if array.dtype.kind not in "fiu":
        raise DataError(f"{path}: expected an array of numbers, {shape}, found {array.dtype}")
    if array.ndim == 1 and not task.labels:
        array = array[:, None]
    values = array[:, None, :] if array.ndim == 2 else array
    if values.ndim != 3 or values.shape[2] != task.num_outputs or 0 in values.shape:
        raise DataError(f"{path}: expected an array {shape}, found {array.shape}")
    names = read_guids(guids, len(values), path)
    exact = values.astype(np.float64)
    empty = np.flatnonzero(np.isnan(exact).all(axis=(1, 2)))
    if len(empty):
        raise DataError(f"{path}: {len(empty)} rows are NaN, first {names[empty[0]]}; leave rows "
                        "without a soft label out of both files")  # fmt: skip
    return Foreign(pa.array(names, pa.string()), exact, kind if task.labels and kind else "score",
                   order, named=False)  # fmt: skip


def _header(path: Path) -> tuple[list[str], Iterable[bytes]]:
    """Return a file's columns, and the keys of its metadata."""
    from mtkd.examples.comma_separated import csv_records
    from mtkd.examples.jsonl import jsonl_rows
    from mtkd.examples.parquet import UNREADABLE

    kind = path.suffix.lower()
    if kind not in {".csv", ".json", ".jsonl", ".parquet"}:
        raise DataError(f"{path}: expected a file in .csv, .jsonl, .parquet or .npy")
    if kind in {".json", ".jsonl"}:
        return [str(key) for row in islice(jsonl_rows(path, ()), 1) for key in row.cells], ()
    if kind == ".csv":
        return next((fields for _, fields in csv_records(path)), []), ()
    try:
        schema = pq.read_schema(path)
        return schema.names, schema.metadata or {}
    except UNREADABLE as error:
        raise DataError(f"{path}: cannot be read as parquet: {reason(error)}") from error


def _from_store(
    path: Path, task: Task, labels: Sequence[str] | None, values: str | None
) -> Foreign:
    """Read a store by its own rules: one that was changed is not to be passed on as whole."""
    try:
        info = read_info(path)
        batches = list(read_batches(path))
    except StoreError as error:
        raise StoreError(f"{error}. If it was changed on purpose, write it without the metadata "
                         "key mtkd, and it is read like any other Parquet file"
                         ) from error  # fmt: skip
    if info.task != task.name:
        raise StoreError(f"{path}: a store of the task {info.task}, expected {task.name}")
    order = ordered_labels(str(path), task, labels, info.labels)
    guids = pa.concat_arrays([pa.array([], pa.string()), *(batch.guids for batch in batches)])
    if values in {"probs", "score"}:
        parts = [batch.targets[:, None, :] for batch in batches]
        kept, kind = None, values
    else:
        parts = [batch.logits for batch in batches]
        kept, kind = info, "logits"
    if not parts:
        raise DataError(f"{path}: no rows")
    return Foreign(guids, np.concatenate(parts).astype(np.float64),
                   kind if info.labels else "score", order, named=True, store=kept)  # fmt: skip


def _from_rows(path: Path, layout: Layout) -> Foreign:
    guids, values = read_rows(path, layout)
    return Foreign(guids, values, layout.kind, layout.labels, layout.named)


def _check_alternative(path: Path, each: Foreign, together: Foreign) -> None:
    """Refuse a store without metadata whose logits no longer make its soft labels."""
    made = (scipy.special.softmax(each.values, axis=2) if each.labels else each.values).mean(axis=1)
    said = together.values.mean(axis=1)
    far = np.abs(made - said).max(axis=1) > _SAME
    if not np.array_equal(each.known, together.known) or far[each.known].any():
        kind = "probs" if each.labels else "score"
        raise DataError(f"{path}: its logits, averaged at temperature 1, do not make its {kind} "
                        "(another temperature or combination did), and its metadata are lost: give "
                        f"--values {kind} for the soft labels as they are, or --values logits to "
                        "average anew")  # fmt: skip
