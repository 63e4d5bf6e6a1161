"""JSON lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from itertools import islice
from pathlib import Path

from mtkd.errors import DataError, did_you_mean
from mtkd.examples.lines import read_lines
from mtkd.examples.rows import Column, RawRow
from mtkd.shown import is_plain, reason, several


def jsonl_rows(path: Path, needed: Sequence[Column]) -> Generator[RawRow]:
    """Yield the rows of a JSON-lines file. Keys may stand in any order; others are not read."""
    for number, line in enumerate(read_lines(path), start=1):
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
            json.dumps(row, ensure_ascii=False).encode()  # refuses half a surrogate pair
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{where}: expected one JSON object on the line: {reason(error)}"
            ) from error
        if not isinstance(row, dict):
            raise DataError(f"{where}: expected a JSON object, found {type(row).__name__}")
        for column in needed:
            if column not in row:
                hint = did_you_mean(str(column), filter(is_plain, islice(row, 1000)))
                raise DataError(f"{where}: expected a key {column!r}, found {several(row)}{hint}")
        yield RawRow(where, row)
