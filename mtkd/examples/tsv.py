"""GLUE's own files: UTF-8, a tab between fields and nothing else, no quoting.

A quotation mark is a character like any other (many rows have one without its pair), and a line
ends at a line feed only: Python's text mode and `str.splitlines` break rows that hold U+2028, a
vertical tab or a lone carriage return.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from pathlib import Path

from mtkd.errors import DataError
from mtkd.examples.rows import Column, RawRow, find_columns


def read_lines(path: Path) -> Iterator[str]:
    """Yield a file's lines, without a byte-order mark at the start, each with its line end.

    Raises: DataError: the file cannot be opened, or a line is not UTF-8.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be opened: {error.strerror}") from error
    with file:
        for number, line in enumerate(file, start=1):
            content = line.removeprefix(BOM_UTF8) if number == 1 else line
            try:
                yield content.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}:{number}: expected UTF-8, found the byte 0x{content[error.start]:02x}"
                    f" after {error.start} others; convert the file, as with iconv -t utf-8"
                ) from error


def tsv_rows(path: Path, header: bool, needed: Sequence[Column]) -> Iterator[RawRow]:
    """Yield the rows of a TSV file, one line in memory at a time."""
    lines = (line.removesuffix("\n").removesuffix("\r").split("\t") for line in read_lines(path))
    return delimited_rows(enumerate(lines, start=1), str(path), header, needed)


def delimited_rows(
    records: Iterator[tuple[int, list[str]]], path: str, header: bool, needed: Sequence[Column]
) -> Iterator[RawRow]:
    """Yield rows from the fields of each line, with the number of the line that they end on."""
    positions: dict[Column, int] | None = None
    width = 0
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
