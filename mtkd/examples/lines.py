"""A text file's lines, none of them so long that it fills the memory."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Generator
from pathlib import Path

from mtkd.errors import DataError

LONGEST_ROW = 10 * 2**20  # bytes: a novel has one million; a whole file on one line has more


def read_lines(path: Path) -> Generator[str]:
    """Yield a file's lines, without a byte-order mark at the start, each with its line end.

    A line ends at a line feed only. Memory is that of a line, 10 MiB at most.

    Raises: DataError: the file cannot be opened, a line is longer, or it is not UTF-8.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be opened: {error.strerror}") from error
    with file:
        number = 0
        while line := file.readline(LONGEST_ROW + 1):
            number += 1
            if len(line) > LONGEST_ROW:
                raise too_long(f"{path}:{number}")
            content = line.removeprefix(BOM_UTF8) if number == 1 else line
            try:
                yield content.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}:{number}: expected UTF-8, found the byte 0x{content[error.start]:02x}"
                    f" after {error.start} others; convert the file, as with iconv -t utf-8"
                ) from error


def too_long(where: str) -> DataError:
    """Return the error for a row of more than 10 MiB."""
    return DataError(
        f"{where}: expected a row of at most {LONGEST_ROW // 2**20} MiB, found a longer one; is "
        "each row on a line of its own, and each line ended by a line feed?"
    )
