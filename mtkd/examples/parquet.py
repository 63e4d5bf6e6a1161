"""Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mtkd.errors import DataError
from mtkd.examples.rows import Column, RawRow, find_columns

_BATCH = 1024  # rows in memory at a time


def parquet_rows(path: Path, needed: Sequence[Column]) -> Iterator[RawRow]:
    """Yield the rows of a Parquet file; "path:row 17" is its 17th."""
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            names = list(find_columns(file.schema_arrow.names, needed, str(path)))
            for batch in file.iter_batches(_BATCH, columns=names):
                for row in batch.to_pylist():
                    number += 1
                    yield RawRow(f"{path}:row {number}", row)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from error
