"""CSV with quoting, as spreadsheets and pandas write it."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from mtkd.errors import DataError
from mtkd.examples.lines import LONGEST_ROW, read_lines, too_long
from mtkd.examples.rows import Column, RawRow
from mtkd.examples.tsv import delimited_rows


def csv_rows(path: Path, header: bool, needed: Sequence[Column]) -> Generator[RawRow]:
    """Yield the rows of a CSV file; a quoted field may hold commas and line feeds."""
    return delimited_rows(csv_records(path), str(path), header, needed)


def csv_records(path: Path) -> Generator[tuple[int, list[str]]]:
    """Yield each record's fields, the header's too, with the number of the line it ends on.

    Raises: DataError: naming the line that is not CSV, or a record of more than 10 MiB.
    """
    if csv.field_size_limit() < LONGEST_ROW:  # 128 KiB otherwise: less than some texts have
        csv.field_size_limit(LONGEST_ROW)
    held = 0  # characters of the record so far: a quote that is never closed takes in the file

    def bounded(lines: Iterator[str]) -> Iterator[str]:
        nonlocal held
        for number, line in enumerate(lines, start=1):
            held += len(line)
            if held > LONGEST_ROW:
                raise too_long(f"{path}:{number}")
            yield line

    with closing(read_lines(path)) as lines:  # the file is closed after an error, too
        reader = csv.reader(bounded(lines), strict=True)
        try:
            for fields in reader:
                held = 0
                yield reader.line_num, fields
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num}: expected CSV, found: {error}") from error
