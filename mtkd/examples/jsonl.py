"""JSON lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from mtkd.errors import DataError, did_you_mean
from mtkd.examples.rows import Column, RawRow
from mtkd.examples.tsv import read_lines


def jsonl_rows(path: Path, needed: Sequence[Column]) -> Iterator[RawRow]:
    """Yield the rows of a JSON-lines file. Keys may stand in any order; others are not read."""
    for number, line in enumerate(read_lines(path), start=1):
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
            json.dumps(row, ensure_ascii=False).encode()  # refuses half a surrogate pair
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: expected one JSON object on the line: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f"{where}: expected a JSON object, found {type(row).__name__}")
        for column in needed:
            if column not in row:
                hint = did_you_mean(str(column), row)
                raise DataError(
                    f"{where}: expected a key {column!r}, found {', '.join(row) or 'none'}{hint}"
                )
        yield RawRow(where, row)
