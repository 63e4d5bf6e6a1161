"""Texts of a corpus, one after another, from files, a data set of the hub, or tasks' train rows."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from mtkd.errors import DataError
from mtkd.examples.hub import texts_of_hub
from mtkd.examples.jsonl import jsonl_rows
from mtkd.examples.lines import read_lines
from mtkd.examples.parquet import parquet_rows
from mtkd.examples.read import read_examples
from mtkd.examples.rows import RawRow
from mtkd.recipe.compress import CorpusSettings
from mtkd.recipe.schema import DataSettings
from mtkd.shown import shown
from mtkd.task import Task

LONGEST_TEXT = 2**21  # characters: a long novel; what is longer lacks its line ends


def read_texts(corpus: CorpusSettings, tasks: Mapping[str, Task]) -> Iterator[str]:
    """Yield every text of a corpus, without white space around it, in the order of its sources.

    Empty ones are passed over; a source of no others is an error.

    Args: tasks: by name, those of `corpus.tasks`; of their rows the train split is read.
    Raises: DataError: naming the key, and the file and line.
    """
    for name in corpus.files:
        yield from _checked("corpus.files", name, _of_file(Path(name), corpus.column))
    if corpus.hub is not None:
        rows = texts_of_hub(corpus.hub, corpus.column)
        yield from _checked("corpus.hub", corpus.hub.path, _cells(rows, corpus.column))
    for name, task in tasks.items():
        yield from _checked("corpus.tasks", name, _of_task(task, corpus.data))


def _checked(key: str, source: str, texts: Iterator[tuple[str, str]]) -> Iterator[str]:
    """Yield texts, given each with where it stands; an error names the key."""
    empty = True
    try:
        for where, whole in texts:
            text = whole.strip()
            if len(text) > LONGEST_TEXT:
                raise DataError(f"{where}: expected a text of at most {LONGEST_TEXT:,} characters, "
                                f"found {len(text):,}; is each text on a line of its own?"
                                )  # fmt: skip
            if text:
                empty = False
                yield text
        if empty:
            raise DataError(f"{source}: expected texts, found none")
    except DataError as error:
        raise DataError(f"{key}: {error}") from error


def _of_file(path: Path, column: str) -> Iterator[tuple[str, str]]:
    if path.suffix == ".txt":
        lines = read_lines(path)
        with closing(lines):
            for number, line in enumerate(lines, start=1):
                yield f"{path}:{number}", line
    elif path.suffix == ".parquet":
        yield from _cells(parquet_rows(path, [column]), column)
    else:
        yield from _cells(jsonl_rows(path, [column]), column)


def _cells(rows: Generator[RawRow], column: str) -> Iterator[tuple[str, str]]:
    with closing(rows):
        for row in rows:
            value = row.cells[column]
            if not isinstance(value, str):
                raise DataError(f"{row.where}: expected a text under {column!r}, found "
                                f"{shown(value)}; corpus.column names another")  # fmt: skip
            yield row.where, value


def _of_task(task: Task, data: DataSettings) -> Iterator[tuple[str, str]]:
    for split in task.train_splits:
        for example in read_examples(task, split, data):
            for text in example.texts:
                yield example.guid, text
