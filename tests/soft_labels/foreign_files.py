"""The same soft labels written in every layout that can be imported."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Values = NDArray[np.float64]  # (rows, classes) or (rows, teachers, classes)


def csv_per_class(
    folder: Path, guids: Sequence[str], values: Values, classes: Sequence[str]
) -> Path:
    """A column a class, among others, as spreadsheets have it."""
    rows = [[guid, "a text, with a comma", *row] for guid, row in zip(guids, values, strict=True)]
    return write_csv(folder / "per_class.csv", ["guid", "text", *classes], rows)


def csv_inspect(folder: Path, guids: Sequence[str], values: Values, classes: Sequence[str]) -> Path:
    """The layout of `mtkd inspect --csv`."""
    rows = [[guid, "t", "train", "", *row, "x"] for guid, row in zip(guids, values, strict=True)]
    header = ["guid", "task", "split", "gold", *(f"p({name})" for name in classes), "prediction"]
    return write_csv(folder / "inspect.csv", header, rows)


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def csv_lists(folder: Path, guids: Sequence[str], values: Values, column: str) -> Path:
    rows = [[guid, json.dumps(row)] for guid, row in zip(guids, values.tolist(), strict=True)]
    return write_csv(folder / "lists.csv", ["guid", column], rows)


def jsonl_lists(folder: Path, guids: Sequence[str], values: Values, column: str) -> Path:
    rows = [{column: row, "guid": guid} for guid, row in zip(guids, values.tolist(), strict=True)]
    return write_jsonl(folder / "lists.jsonl", rows)


def jsonl_per_class(
    folder: Path, guids: Sequence[str], values: Values, classes: Sequence[str]
) -> Path:
    rows = [
        {"guid": guid, **dict(zip(classes, row, strict=True))}
        for guid, row in zip(guids, values.tolist(), strict=True)
    ]
    return write_jsonl(folder / "per_class.jsonl", rows)


def write_jsonl(path: Path, rows: Sequence[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def parquet_lists(folder: Path, guids: Sequence[str], values: Values, column: str) -> Path:
    pq.write_table(pa.table({"guid": guids, column: values.tolist()}), folder / "lists.parquet")
    return folder / "lists.parquet"


def pandas_lists(folder: Path, guids: Sequence[str], values: Values, column: str) -> Path:
    path = folder / "pandas.parquet"
    pd.DataFrame({"guid": guids, column: values.tolist()}).to_parquet(path)
    return path


def pandas_per_class(
    folder: Path, guids: Sequence[str], values: Values, classes: Sequence[str]
) -> Path:
    path = folder / "pandas_per_class.parquet"
    pd.DataFrame(values, columns=list(classes), index=pd.Index(guids, name="guid")).to_parquet(path)
    return path


def npy(folder: Path, guids: Sequence[str], values: Values) -> tuple[Path, Path]:
    """An array, and the text file with its guids."""
    np.save(folder / "array.npy", values)
    (folder / "guids.txt").write_text("".join(f"{guid}\n" for guid in guids), "utf-8")
    return folder / "array.npy", folder / "guids.txt"


LISTS: tuple[Callable[[Path, Sequence[str], Values, str], Path], ...] = (
    csv_lists,
    jsonl_lists,
    parquet_lists,
    pandas_lists,
)
PER_CLASS: tuple[Callable[[Path, Sequence[str], Values, Sequence[str]], Path], ...] = (
    csv_per_class,
    jsonl_per_class,
    pandas_per_class,
)
