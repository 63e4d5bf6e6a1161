"""Logits to files that the server accepts. The same logits give the same bytes."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtkd.artifacts import write_file
from mtkd.errors import CardError, ShapeError, SubmissionError
from mtkd.shown import is_plain, shown
from mtkd.submission.server_files import HEADER, ServerFile, server_files, suggest
from mtkd.task import Task
from mtkd.task.decode import predictions as decode


def write_submission(
    folder: Path,
    predictions: Mapping[str, tuple[Sequence[str], NDArray[np.floating]]],
    tasks: Iterable[Task],
    fill_missing: bool = False,
) -> tuple[Path, ...]:
    """Write one file for each entry of `predictions`.

    Args: predictions: file name ("MNLI-m.tsv") -> ids as in the index column of the test file and
        in its order, and raw logits (rows, outputs), classes in the order of Task.labels.
        tasks: the tasks of the server, whose cards say what their files look like.
        fill_missing: write the files of `tasks` that are not in `predictions` too, the card's
            `majority` in every row.
    Returns: what was written, in the order of `tasks`.
    Raises: SubmissionError: a file that no task has, an id twice or that would forge a line.
        ShapeError: logits that do not
        fit the ids or the task. Diverged: logits that are NaN or infinite.
    """
    files = server_files(tasks)
    for name in predictions:
        if name not in files:
            raise SubmissionError(f"{name}: no task has this file{suggest(name, files)}")
    contents = {}
    for name, server_file in files.items():
        if name in predictions:
            contents[name] = _predicted(server_file, *predictions[name])
        elif fill_missing:
            contents[name] = _filled(server_file)
    for name, content in contents.items():
        write_file(folder / name, content)
    return tuple(folder / name for name in contents)


def zip_submission(folder: Path, zip_path: Path) -> Path:
    """Zip the `.tsv` files of `folder`, flat, to the same bytes each time.

    Raises: SubmissionError: there are none.
    """
    paths = sorted(folder.glob("*.tsv"))
    if not paths:
        raise SubmissionError(f"{folder}: expected .tsv files to zip, found none")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in paths:
            entry = zipfile.ZipInfo(path.name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever it is written
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    write_file(zip_path, buffer.getvalue())
    return zip_path


def _predicted(server_file: ServerFile, ids: Sequence[str], logits: NDArray[np.floating]) -> bytes:
    name, task = server_file.file.file, server_file.task
    values = decode(task, logits)
    if len(ids) != len(values):
        raise ShapeError(f"{name}: {len(values)} rows of logits for {len(ids)} ids")
    if twice := [index for index, count in Counter(ids).items() if count > 1]:
        raise SubmissionError(
            f"{name}: {len(twice)} ids stand there more than once, such as {shown(twice[0])}; an "
            "index can be predicted once"
        )
    if task.kind == "regression":
        assert task.range is not None  # the card requires it of a regression task
        # Adding 0.0 turns -0.0 into 0.0, which would be written with its sign.
        return _content(name, ids, [f"{value:.3f}" for value in np.clip(values, *task.range) + 0.0])
    words = server_file.file.labels
    return _content(name, ids, [words[value] for value in values])


def _filled(server_file: ServerFile) -> bytes:
    file = server_file.file
    if file.majority is None:
        raise CardError(
            f"{server_file.task.name}: the card names no `majority` to fill {file.file} with; add "
            "it, or set submission.fill_missing=none"
        )
    return _content(file.file, map(str, range(file.rows)), [file.majority] * file.rows)


def _content(name: str, ids: Iterable[str], values: Iterable[str]) -> bytes:
    ids, values = list(ids), list(values)
    for text in (*ids, *dict.fromkeys(values)):
        if not is_plain(text):
            raise SubmissionError(f"{name}: expected an index and a prediction without tabs, line "
                                  f"ends or control characters, found {shown(text)}")  # fmt: skip
    rows = "".join(f"{index}\t{value}\n" for index, value in zip(ids, values, strict=True))
    return f"{HEADER}\n{rows}".encode()
