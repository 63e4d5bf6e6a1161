"""From the cells of a row, whatever it was read from, to an `Example`."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mtkd.errors import DataError, did_you_mean
from mtkd.examples.example import Example
from mtkd.examples.ids import SeenIds
from mtkd.examples.lines import LONGEST_ROW
from mtkd.shown import is_plain, several, shown
from mtkd.task import Task

log = logging.getLogger(__name__)

Column = str | int  # a column's name, or its position where there is no header
_MOST_COLUMNS = 10_000
_LONGEST_ID = 1000  # characters


class RawRow(NamedTuple):
    """A row as a reader found it."""

    where: str  # "path:line"
    cells: Mapping[Column, object]
    fault: str | None = None  # why there are no cells


@dataclass(frozen=True)
class Columns:
    """What a source calls the columns that the task needs."""

    id: Column | None  # None: rows are numbered from 0
    texts: tuple[Column, ...]
    label: Column | None  # None: there are no gold labels
    label_may_lack: bool = False  # True: a row without a label is one whose label is unknown

    def needed(self) -> list[Column]:
        """Return all columns that must be there."""
        return [c for c in (self.id, *self.texts, self.label) if c is not None]


@dataclass
class ReadReport:
    """What reading a split left out; filled while the rows are read."""

    dropped: int = 0  # malformed rows, of a task with malformed_rows: drop
    first: str = ""  # where the first of them stands, and what is wrong with it


class _MalformedRowError(Exception):
    """The row is broken, in a way that `malformed_rows: drop` forgives."""


def find_columns(header: Sequence[str], needed: Sequence[Column], where: str) -> dict[Column, int]:
    """Return the position of each needed column in a header.

    Raises: DataError: a column is not there, or there twice.
    """
    positions: dict[Column, int] = {}
    if len(header) > _MOST_COLUMNS:
        raise DataError(f"{where}: expected at most {_MOST_COLUMNS:,} columns, found "
                        f"{len(header):,}")  # fmt: skip
    for column in needed:
        if isinstance(column, int):
            if column >= len(header):
                raise DataError(f"{where}: no column {column}, counted from 0: {len(header)} found")
            positions[column] = column
            continue
        if header.count(column) != 1:
            found = "twice or more" if column in header else "not there"
            raise DataError(
                f"{where}: expected a column {column!r}, which is {found}; the header's are "
                f"{several(header)}{did_you_mean(column, filter(is_plain, header))}"
            )
        positions[column] = header.index(column)
    return positions


def to_examples(
    rows: Iterable[RawRow], columns: Columns, task: Task, split: str, report: ReadReport
) -> Iterator[Example]:
    """Yield the rows' examples.

    With `malformed_rows: drop`, a row with a wrong number of fields, without a text or without a
    label is left out and counted. A test row is never left out, since a submission needs a line for
    it: there an empty text is let through, and any other fault is an error. A label that the card
    does not list is an error always: it is the card that is wrong, or the file.

    Raises: DataError: naming the row, what was expected and what was found.
    """
    drops = task.malformed_rows == "drop"
    is_test = split.startswith("test")
    written = {label: i for i, label in enumerate(task.file_labels or task.labels)}
    seen = SeenIds()
    for number, row in enumerate(rows):
        try:
            if row.fault is not None:
                raise _MalformedRowError(row.fault)
            texts = tuple(_text(row, c, may_be_empty=drops and is_test) for c in columns.texts)
            label = _label(row, columns, task, written)
        except _MalformedRowError as fault:
            if not drops or is_test:
                hint = "" if is_test else "; malformed_rows: drop in the card leaves such rows out"
                raise DataError(f"{row.where}: {fault}{hint}") from None
            report.dropped += 1
            report.first = report.first or f"{row.where}: {fault}"
            continue
        identity = str(number) if columns.id is None else _id(row, columns.id, seen)
        yield Example(f"{task.name}/{split}/{identity}", texts, label)
    if report.dropped:
        log.warning(
            "%s/%s: %d malformed rows dropped, the first at %s",
            *(task.name, split, report.dropped, report.first),
        )


def _text(row: RawRow, column: Column, may_be_empty: bool) -> str:
    text = row.cells[column]
    if text is None:
        text = ""
    if not isinstance(text, str):
        raise DataError(f"{row.where}: {column}: expected text, found {shown(text)}")
    if len(text) > LONGEST_ROW:  # Parquet and the hub set no limit
        raise DataError(f"{row.where}: {column}: expected a text of at most {LONGEST_ROW:,} "
                        f"characters, found {len(text):,}")  # fmt: skip
    if not may_be_empty and not text.strip():
        raise _MalformedRowError(f"{column}: expected text, found none")
    return text


def _id(row: RawRow, column: Column, seen: SeenIds) -> str:
    value = row.cells[column]
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise DataError(f"{row.where}: {column}: expected an id, found {shown(value)}")
    identity = str(value)
    if len(identity) > _LONGEST_ID or not is_plain(identity):
        # it is written to logs and to a submission's lines
        raise DataError(
            f"{row.where}: {column}: expected an id of at most {_LONGEST_ID:,} characters, none of "
            f"them a control character, found {shown(identity)}"
        )
    if not seen.add(identity):
        raise DataError(f"{row.where}: {column}: the id {shown(identity)} stands in an earlier row "
                        "too")  # fmt: skip
    return identity


def _label(
    row: RawRow, columns: Columns, task: Task, written: Mapping[str, int]
) -> int | float | None:
    if columns.label is None:
        return None
    value = row.cells[columns.label]
    if value is None or value == "":
        if columns.label_may_lack:
            return None
        raise _MalformedRowError(f"{columns.label}: expected a gold label, found none")
    if task.kind == "regression":
        return _score(row, columns.label, value, task.range)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # pandas writes whole numbers with a gap among them as floats
    label = None if isinstance(value, list | dict) else written.get(str(value))
    if label is None:
        found = shown(value if isinstance(value, list | dict) else str(value))
        raise DataError(
            f"{row.where}: {columns.label}: expected one of {several(written)}, found {found}"
        )
    return label


def _score(row: RawRow, column: Column, value: object, bounds: tuple[float, float] | None) -> float:
    low, high = bounds or (-math.inf, math.inf)
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        score = float(value)
    except (ValueError, OverflowError):
        score = math.nan
    if math.isnan(score) or math.isinf(score) or not low <= score <= high:
        raise DataError(
            f"{row.where}: {column}: expected a number from {low:g} to {high:g}, found "
            f"{shown(value)}"
        )
    return score
