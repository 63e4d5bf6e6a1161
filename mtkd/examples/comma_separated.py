"""CSV with quoting, as spreadsheets and pandas write it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from mtkd.errors import DataError
from mtkd.examples.rows import Column, RawRow
from mtkd.examples.tsv import delimited_rows, read_lines


def csv_rows(path: Path, header: bool, needed: Sequence[Column]) -> Iterator[RawRow]:
    """Yield the rows of a CSV file; a quoted field may hold commas and line feeds."""
    return delimited_rows(_records(path), str(path), header, needed)


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(read_lines(path), strict=True)
    try:
        for fields in reader:
            yield reader.line_num, fields
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: expected CSV, found: {error}") from error
