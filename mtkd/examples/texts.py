"""Texts of a corpus, one after another, from files, a data set of the hub, or tasks' train rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from mtkd.shown import shown
from mtkd.task import Task

TEXT_FILES = (".txt", ".jsonl", ".json", ".parquet")
LONGEST_TEXT = 2**22  # characters: a long novel; what is longer lacks its line ends


def read_texts(corpus: CorpusSettings, tasks: Mapping[str, Task]) -> Iterator[str]:
    """Yield every text of a corpus, in the order of its sources; empty ones are passed over.

    Args: tasks: by name, those of `corpus.tasks`; of their rows the train split is read.
    Raises: DataError: naming the key, and the file and line.
    """
    for name in corpus.files:
        yield from _texts_of_file(Path(name), corpus.column)
    if corpus.hub is not None:
        for row in texts_of_hub(corpus.hub, corpus.column):
            yield _text(row, corpus.column, "corpus.hub")
    for task in tasks.values():
        for split in task.train_splits:
            for example in read_examples(task, split, corpus.data):
                yield from example.texts


def _texts_of_file(path: Path, column: str) -> Iterator[str]:
    if path.suffix == ".txt":
        lines = read_lines(path)
        with closing(lines):
            for number, line in enumerate(lines, start=1):
                yield _short_enough(line.strip(), f"corpus.files: {path}:{number}")
        return
    rows = parquet_rows(path, [column]) if path.suffix == ".parquet" else jsonl_rows(path, [column])
    with closing(rows):
        for row in rows:
            yield _text(row, column, "corpus.files")


def _text(row: RawRow, column: str, key: str) -> str:
    value = row.cells[column]
    if not isinstance(value, str):
        raise DataError(f"{key}: {row.where}: expected a text under {column!r}, found "
                        f"{shown(value)}; corpus.column names another")  # fmt: skip
    return _short_enough(value.strip(), f"{key}: {row.where}")


def _short_enough(text: str, where: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise DataError(f"{where}: expected a text of at most {LONGEST_TEXT:,} characters, found "
                        f"{len(text):,}; is each text on a line of its own?")  # fmt: skip
    return text
