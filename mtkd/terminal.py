"""What commands print: tables on stdout, logs on stderr; text from data cannot forge either."""

from __future__ import annotations

import logging
import sys
from typing import Literal, TextIO

from mtkd.shown import printable

_FILE_WIDTH = 200  # a pipe or file has no width of its own, and folding would break lines up there
_BLOCK_WIDTH = 100  # of blocks, which fit it and hold texts that have to be folded


def print_block(title: str, header: list[str], rows: list[list[str]]) -> None:
    """Print a heading, and a table where there is one."""
    print(_lines(title))
    if header:
        print_table(header, rows, _BLOCK_WIDTH)


def print_table(header: list[str], rows: list[list[str]], file_width: int = _FILE_WIDTH) -> None:
    """Print a table on stdout; columns of numbers are aligned on the right.

    Args: file_width: columns to fold at where stdout is no terminal.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for i, title in enumerate(header):
        numeric = i > 0 and all(_is_number(row[i]) for row in rows)
        justify: Literal["left", "right"] = "right" if numeric else "left"
        table.add_column(Text(printable(title)), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_lines(cell)) for cell in row))  # as text: cells are no markup
    Console(width=None if sys.stdout.isatty() else file_width).print(table)


def log_to_stderr(level: int) -> None:
    """Send mtkd's log from `level` up to stderr: folded on a terminal, a line each in a file."""
    from rich.console import Console
    from rich.logging import RichHandler

    handler: logging.Handler
    if sys.stderr.isatty():
        console = Console(stderr=True)
        handler = RichHandler(console=console, show_path=False, log_time_format="%H:%M:%S")
        handler.setFormatter(_PrintableFormatter())
    else:
        handler = _Stderr()
        form = "%(asctime)s %(levelname)-8s %(message)s"
        handler.setFormatter(_PrintableFormatter(form, "%H:%M:%S"))
    logger = logging.getLogger("mtkd")
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what stderr is at the time."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        pass


class _PrintableFormatter(logging.Formatter):
    """At the handler, so that no caller can forget it."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _lines(text: str) -> str:
    """Return a text whose lines were made here, and so need no indent, as it may be printed."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _is_number(cell: str) -> bool:
    return cell == "" or cell.lstrip("+-").replace(".", "", 1).isdigit()
