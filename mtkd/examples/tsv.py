"""GLUE's own files: UTF-8, a tab between fields and nothing else, no quoting.

A quotation mark is a character like any other (many rows have one without its pair), and a line
ends at a line feed only: Python's text mode and `str.splitlines` break rows that hold U+2028, a
vertical tab or a lone carriage return.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from mtkd.examples.lines import read_lines
from mtkd.examples.rows import Column, RawRow, find_columns


def tsv_rows(path: Path, header: bool, needed: Sequence[Column]) -> Generator[RawRow]:
    """Yield the rows of a TSV file, one line in memory at a time."""
    return delimited_rows(_records(path), str(path), header, needed)


def delimited_rows(
    records: Generator[tuple[int, list[str]]], path: str, header: bool, needed: Sequence[Column]
) -> Generator[RawRow]:
    """Yield rows from the fields of each line, with the number of the line that they end on."""
    positions: dict[Column, int] | None = None
    width = 0
    with closing(records):  # the file, that is, even while someone holds the error
        for number, fields in records:
            where = f"{path}:{number}"
            if positions is None:
                positions, width = find_columns(fields, needed, where), len(fields)
                if header:
                    continue
            if len(fields) != width:
                yield RawRow(where, {}, f"expected {width} fields, found {len(fields)}")
            else:
                yield RawRow(where, {column: fields[at] for column, at in positions.items()})


def _records(path: Path) -> Generator[tuple[int, list[str]]]:
    for number, line in enumerate(read_lines(path), start=1):
        yield number, line.removesuffix("\n").removesuffix("\r").split("\t")
