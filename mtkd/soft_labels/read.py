"""Stores are read row group by row group, each checked against what was written."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mtkd.errors import StoreError
from mtkd.shown import is_plain, reason
from mtkd.soft_labels.batch import StoreBatch, check_batch
from mtkd.soft_labels.info import StoreInfo, remedy
from mtkd.soft_labels.write import ROWS, SCHEMA


@dataclasses.dataclass(frozen=True)
class SoftLabelStore:
    """One store in memory, without the logits.

    targets: (rows, classes) probabilities or (rows, 1) mean scores; NaN where a row has none.
    """

    path: Path
    info: StoreInfo
    guids: pa.StringArray
    targets: NDArray[np.float32]


def read_info(path: Path) -> StoreInfo:
    """Return a store's provenance; of the file only the end is read.

    Raises: StoreError: not a store, another version, or metadata that was changed.
    """
    with _readable(path), pq.ParquetFile(path) as file:
        return _info(path, file)


def read_batches(path: Path) -> Iterator[StoreBatch]:
    """Yield a store's rows, a row group (65,536 rows at most) at a time; memory stays flat.

    Raises: StoreError: as `read_info`; or a row group whose values are not those written.
    """
    with _readable(path), pq.ParquetFile(path) as file:
        info = _info(path, file)
        start = 0
        for number, expected in enumerate(info.row_groups):
            batch = _batch(info, file.read_row_group(number))
            if len(batch.guids) != file.metadata.row_group(number).num_rows:
                raise ValueError(f"row group {number} has {len(batch.guids)} rows")
            if batch.sha256() != expected:
                raise StoreError(f"{path}: row group {number} (from row {start}) is not as it was "
                                 f"written, by a fault of the disk or by hand; {remedy(path)}"
                                 )  # fmt: skip
            check_batch(path, info, batch, start)
            start += len(batch.guids)
            yield batch


def read_store(path: Path) -> SoftLabelStore:
    """Read a store whole, every row group checked.

    Raises: StoreError: as `read_batches`.
    """
    info = read_info(path)
    with _readable(path):  # of more rows than memory can hold
        targets = np.empty((info.rows, info.outputs), dtype=np.float32)
    guids: list[pa.StringArray] = [pa.array([], pa.string())]
    start = 0
    for batch in read_batches(path):
        guids.append(batch.guids)
        targets[start : start + len(batch.guids)] = batch.targets
        start += len(batch.guids)
    return SoftLabelStore(path, info, pa.concat_arrays(guids), targets)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise StoreError(f"{path}: no such soft-label store; `mtkd soften` makes a run's "
                         "own") from error  # fmt: skip
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, MemoryError) as error:
        raise StoreError(f"{path}: not a soft-label store, or a broken one ({reason(error)}); "
                         f"{remedy(path)}") from error  # fmt: skip


def _info(path: Path, file: pq.ParquetFile) -> StoreInfo:
    metadata = file.metadata.metadata or {}
    if b"mtkd" not in metadata:
        raise StoreError(f"{path}: a Parquet file, but no soft-label store: it says nothing of "
                         "where it is from. `mtkd import-soft-labels` makes a store of soft "
                         "labels from elsewhere")  # fmt: skip
    info = StoreInfo.from_json(metadata[b"mtkd"], path)
    if file.num_row_groups != len(info.row_groups):
        raise StoreError(f"{path}: {file.num_row_groups} row groups, expected "
                         f"{len(info.row_groups)}; {remedy(path)}")  # fmt: skip
    groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
    rows = sum(group.num_rows for group in groups)
    if not info.rows == file.metadata.num_rows == rows:
        raise ValueError(f"{file.metadata.num_rows} rows, in row groups of {rows}, of which its "
                         f"metadata say {info.rows}")  # fmt: skip
    # no more than this is unpacked at once. What the columns' metadata say is not looked at: where
    # they are broken, pyarrow ends the process
    if any(group.num_rows > ROWS for group in groups):
        raise ValueError(f"a row group of more than {ROWS} rows")
    return info


def _batch(info: StoreInfo, table: pa.Table) -> StoreBatch:
    """Return a row group as arrays; what does not have the store's shape raises ValueError."""
    columns = {name: table.column(name).combine_chunks() for name in SCHEMA.names}
    for name, column in columns.items():
        if column.type != SCHEMA.field(name).type:
            raise ValueError(f"column {name} is {column.type}")
    if columns["guid"].null_count:
        raise ValueError("rows without a guid")
    if not is_plain("".join(columns["guid"].to_numpy(zero_copy_only=False))):
        raise ValueError("guids with control characters")
    gold = columns["label"].to_numpy(zero_copy_only=False)
    teachers = len(info.teachers)
    logits, known = _rectangle(columns["logits"], teachers * info.outputs, (teachers, info.outputs))
    if info.labels:
        targets, labelled = _rectangle(columns["probs"], info.outputs, (info.outputs,))
    else:
        score = columns["score"]
        labelled = score.is_valid().to_numpy(zero_copy_only=False)
        targets = score.to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, 1)
        targets[~labelled] = np.nan
    if not np.array_equal(known, labelled):
        raise ValueError("rows with logits and no soft label, or the other way round")
    return StoreBatch(columns["guid"], gold, logits, targets)


def _rectangle(
    column: pa.ListArray, width: int, shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the rows' numbers, (rows, *shape), NaN where null, and where they are not."""
    known = column.is_valid().to_numpy(zero_copy_only=False)
    inner = column.drop_null()
    if len(shape) == 2:
        _check_lengths(inner, shape[0])
        inner = inner.flatten()
    _check_lengths(inner, shape[-1])
    values = inner.flatten().to_numpy(zero_copy_only=False)
    found = np.full((len(known), width), np.nan, dtype=np.float32)
    found[known] = values.reshape(-1, width)
    return found.reshape(-1, *shape), known


def _check_lengths(lists: pa.ListArray, expected: int) -> None:
    if not pc.all(pc.equal(pc.list_value_length(lists), expected), min_count=0).as_py():
        raise ValueError(f"lists that are not {expected} long")
