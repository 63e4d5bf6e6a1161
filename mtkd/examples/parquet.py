"""Parquet, which can hold gigabytes of text in a file of some kilobytes."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mtkd.errors import DataError
from mtkd.examples.lines import LONGEST_ROW, too_long
from mtkd.examples.rows import Column, RawRow, find_columns
from mtkd.shown import reason

_BATCH = 1024  # rows in memory at a time
_TOGETHER = 64 * 2**20  # bytes of them, where one text is said of many rows
# What pyarrow raises for a file that is not whole or not true. ValueError: text that is no UTF-8;
# OverflowError: a time that Python does not know; MemoryError: a size that no file has.
UNREADABLE = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)


def parquet_rows(path: Path, needed: Sequence[Column]) -> Generator[RawRow]:
    """Yield the rows of a Parquet file; "path:row 17" is its 17th."""
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            names = [str(n) for n in find_columns(file.schema_arrow.names, needed, str(path))]
            texts = [name for name in names if _is_text(file.schema_arrow.field(name).type)]
            for group in range(file.num_row_groups):
                rows = min(_BATCH, max(1, _TOGETHER // _longest_repeated(path, group, texts)))
                for batch in file.iter_batches(rows, row_groups=[group], columns=names):
                    for row in _rows(batch, str(path), number):
                        number += 1
                        yield RawRow(f"{path}:row {number}", row)
            if number != file.metadata.num_rows:
                raise ValueError(f"{number} rows, and it says that it has {file.metadata.num_rows}")
    except UNREADABLE as error:
        raise DataError(f"{path}: cannot be read as Parquet: {reason(error)}") from error


def _longest_repeated(path: Path, group: int, names: list[str]) -> int:
    """Return the bytes of the longest text that a row group keeps once for any number of rows.

    Written out for each row, such texts would take many times what the file does. Read as a
    dictionary, one row brings all of them.
    """
    longest = 1
    for name in names:
        try:
            with pq.ParquetFile(path, read_dictionary=[name]) as file:
                for batch in islice(file.iter_batches(1, row_groups=[group], columns=[name]), 1):
                    lengths = pc.binary_length(batch.column(0).dictionary)
                    longest = max(longest, pc.max(lengths).as_py() or 0)
        except (pa.ArrowException, OSError):  # written as differences: a row may repeat another
            longest = max(longest, LONGEST_ROW)
    return longest


def _rows(batch: pa.RecordBatch, path: str, before: int) -> Iterator[dict[Column, Any]]:
    """Yield a batch's rows, one by one where all of them at once would take much memory."""
    if batch.nbytes <= LONGEST_ROW:
        yield from batch.to_pylist()
        return
    for place in range(len(batch)):
        row = batch.slice(place, 1)
        if row.nbytes > LONGEST_ROW:
            raise too_long(f"{path}:row {before + place + 1}")
        yield row.to_pylist()[0]


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        check(kind) for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary)
    )
