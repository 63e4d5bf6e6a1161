"""Where a task's rows are, and a reader for each kind of place."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from importlib.resources import files
from pathlib import Path

from mtkd.errors import DataError, did_you_mean
from mtkd.examples.comma_separated import csv_rows
from mtkd.examples.example import Example
from mtkd.examples.hub import hub_rows
from mtkd.examples.jsonl import jsonl_rows
from mtkd.examples.parquet import parquet_rows
from mtkd.examples.rows import Columns, RawRow, ReadReport, to_examples
from mtkd.examples.tsv import tsv_rows
from mtkd.recipe.schema import DataSettings
from mtkd.task import Task


def has_split(task: Task, split: str, data: DataSettings) -> bool:
    """Return whether the split's file is there, or the card knows the split on the hub."""
    if _is_on_hub(task, split, data):
        return task.hub is not None and split in task.hub.splits
    return split in task.files and split_path(task, split, data).is_file()


def read_examples(
    task: Task, split: str, data: DataSettings, report: ReadReport | None = None
) -> Iterator[Example]:
    """Read a split row by row, in file order.

    Args:
        data: says where built-in tasks' rows are. The files of a card of one's own lie beside it.
        report: filled while rows are read, where given.

    Raises: DataError: the split is not there (at once) or has no rows, or a row is wrong (when its
        turn comes); the message names the file and line.
    """
    report = report or ReadReport()
    if _is_on_hub(task, split, data):
        source, columns, rows = _open_hub(task, split)
    else:
        source, columns, rows = _open_file(task, split, data)
    return _checked(rows, columns, task, split, report, source)


def split_path(task: Task, split: str, data: DataSettings) -> Path:
    """Return the file that a split is read from, whether it is there or not.

    Raises: DataError: `data` does not say where, or the card has no such split.
    """
    if split not in task.files:
        raise DataError(
            f"{task.name}: the card has no file for the split {split!r}; it has "
            f"{', '.join(task.files) or 'none'}{did_you_mean(split, task.files)}"
        )
    path = Path(task.files[split].path)
    return path if path.is_absolute() else _root(task, data) / path  # a recipe's own is absolute


def _is_on_hub(task: Task, split: str, data: DataSettings) -> bool:
    if split in task.files and Path(task.files[split].path).is_absolute():
        return False
    return not task.files or (task.folder is None and data.source == "hub")


def _root(task: Task, data: DataSettings) -> Path:
    if task.folder is not None:
        return task.folder
    if data.source == "sample":
        return Path(str(files("mtkd.data"))) / "sample"
    if data.root is None:
        raise DataError(
            "data.root: expected the path of a glue_data folder, found none; or use the sample "
            "data that comes with mtkd, data.source=sample"
        )
    return Path(data.root)


def _open_file(
    task: Task, split: str, data: DataSettings
) -> tuple[str, Columns, Generator[RawRow]]:
    path = split_path(task, split, data)
    if not path.is_file():
        hint = ""
        if split.startswith(("train", "dev")):
            hint = f"; put it there, or leave the task out: tasks=[...] without {task.name}"
        raise DataError(f"{path}: no such file, which {task.name}/{split} is read from{hint}")
    file = task.files[split]
    columns = Columns(
        id=file.id,
        texts=tuple(file.column(text) for text in task.texts),
        label=file.column(task.label) if file.labelled else None,
    )
    needed = columns.needed()
    readers = {
        ".tsv": lambda: tsv_rows(path, file.header, needed),
        ".csv": lambda: csv_rows(path, file.header, needed),
        ".jsonl": lambda: jsonl_rows(path, needed),
        ".json": lambda: jsonl_rows(path, needed),
        ".parquet": lambda: parquet_rows(path, needed),
    }
    return str(path), columns, readers[path.suffix]()


def _open_hub(task: Task, split: str) -> tuple[str, Columns, Generator[RawRow]]:
    if task.hub is None:
        raise DataError(f"{task.name}: the card has no hub; use data.source=directory")
    if split not in task.hub.splits:
        known = task.hub.splits
        raise DataError(
            f"{task.name}: the card has no hub split for {split!r}; it has {', '.join(known)}"
            f"{did_you_mean(split, known)}"
        )
    return task.hub.path, *hub_rows(task, task.hub, split)


def _checked(
    rows: Generator[RawRow],
    columns: Columns,
    task: Task,
    split: str,
    report: ReadReport,
    source: str,
) -> Iterator[Example]:
    """Yield the rows' examples, of which there have to be some; close the file in any case."""
    empty = True
    with closing(rows):
        for example in to_examples(rows, columns, task, split, report):
            empty = False
            yield example
    if empty:
        raise DataError(f"{source}: expected rows for {task.name}/{split}, found none")
