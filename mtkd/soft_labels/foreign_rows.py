"""The numbers of a CSV, JSON lines or Parquet file, row by row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mtkd.errors import DataError
from mtkd.shown import is_plain, shown
from mtkd.soft_labels.foreign_layout import Layout

if TYPE_CHECKING:
    from mtkd.examples.rows import RawRow

LONGEST_GUID = 1200  # characters: a task's and split's name, and an id of 1,000
_TOGETHER = 65_536  # rows that are stacked at a time


def read_rows(path: Path, layout: Layout) -> tuple[pa.StringArray, NDArray[np.float64]]:
    """Return the guids of a file's rows, and their soft labels.

    Returns: guids, (rows,), and (rows, teachers, outputs), NaN throughout where the cells of a row
        are empty (null in JSON and Parquet).
    Raises: DataError: naming the row that is not as the layout says.
    """
    guids: list[str] = []
    parts: list[NDArray[np.float64]] = []
    waiting: list[NDArray[np.float64] | None] = []
    shape: tuple[int, int] | None = None
    for row in _raw_rows(path, (*layout.columns, "guid")):
        guids.append(_guid(row))
        values = _values(row, layout)
        waiting.append(values)
        if values is not None and values.shape != shape:
            if shape is not None:
                raise DataError(f"{row.where}, {guids[-1]}: {values.shape[0]} teachers, the rows "
                                f"before have {shape[0]}")  # fmt: skip
            shape = (values.shape[0], values.shape[1])
        if len(waiting) == _TOGETHER and shape is not None:
            parts.append(_stack(waiting, shape))
            waiting = []
    if not guids:
        raise DataError(f"{path}: no rows")
    parts.append(_stack(waiting, shape or (1, layout.outputs)))
    return pa.array(guids, pa.string()), np.concatenate(parts)


def _raw_rows(path: Path, columns: Sequence[str]) -> Iterable[RawRow]:
    from mtkd.examples.comma_separated import csv_rows
    from mtkd.examples.jsonl import jsonl_rows
    from mtkd.examples.parquet import parquet_rows

    if path.suffix.lower() == ".csv":
        return csv_rows(path, True, columns)
    return (parquet_rows if path.suffix.lower() == ".parquet" else jsonl_rows)(path, columns)


def _guid(row: RawRow) -> str:
    if row.fault is not None:
        raise DataError(f"{row.where}: {row.fault}")
    guid = row.cells["guid"]
    if guid is None or guid == "":
        raise DataError(f"{row.where}: no guid")
    if not isinstance(guid, str | int) or len(str(guid)) > LONGEST_GUID or not is_plain(str(guid)):
        raise DataError(f"{row.where}: expected a guid, such as rte/train/17, found {shown(guid)}")
    return str(guid)


def _values(row: RawRow, layout: Layout) -> NDArray[np.float64] | None:
    """Return a row's soft label, (teachers, outputs), or None where it has none."""
    where = f"{row.where}, {row.cells['guid']}"
    cells = [_parsed(where, column, row.cells[column]) for column in layout.columns]
    if all(cell is None for cell in cells):
        return None
    content = cells[0] if layout.is_list else cells
    try:
        found = np.asarray(content)
    except ValueError:  # lists of different lengths
        found = np.empty(0)
    if layout.kind == "score" and found.ndim == 0:
        found = found[None]
    is_number = found.dtype.kind in "fiu" and found.size > 0
    if not is_number or found.ndim not in (1, 2) or found.shape[-1] != layout.outputs:
        raise DataError(
            f"{where}: {_names(layout)}: expected {_shape(layout)}, found {shown(content)}"
        )
    found = found.astype(np.float64).reshape(-1, layout.outputs)
    if np.isnan(found).all():  # else it would pass for a row without
        raise DataError(f"{where}: {_names(layout)}: NaN; leave the row out if it has none")
    return found


def _parsed(where: str, column: str, cell: Any) -> Any:
    """Return the number or list that a CSV's cell stands for; other files' cells as they are."""
    if not isinstance(cell, str):
        return cell
    if not cell.strip():
        return None
    try:
        return json.loads(cell) if cell.lstrip().startswith("[") else float(cell)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: {column}: expected a number (0.25), or a list of them in a "
                        f"column of lists ([0.25, 0.75]), found {shown(cell)}"
                        ) from error  # fmt: skip


def _stack(
    rows: Sequence[NDArray[np.float64] | None], shape: tuple[int, int]
) -> NDArray[np.float64]:
    found = np.full((len(rows), *shape), np.nan)
    known = [i for i, row in enumerate(rows) if row is not None]
    if known:
        found[known] = np.stack([row for row in rows if row is not None])
    return found


def _names(layout: Layout) -> str:
    return ", ".join(layout.columns)


def _shape(layout: Layout) -> str:
    if not layout.is_list:
        return "a number in each column, or in none"
    if layout.kind == "score":
        return "a number, or a list of one number a teacher, [[2.5], [3.0]]"
    return (f"a list of {layout.outputs} numbers ({', '.join(layout.labels)}), or one such list a "
            "teacher")  # fmt: skip
