"""Whether the server would take a folder or zip, with no need of the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mtkd.errors import SubmissionError
from mtkd.shown import shown
from mtkd.submission.archive import Archive, open_archive
from mtkd.submission.report import FileReport, Report, capped
from mtkd.submission.rows import lines_of, row_problems
from mtkd.submission.server_files import ServerFile, server_files, suggest
from mtkd.task import Task, load_task, task_names


def validate(
    path: Path,
    expected_ids: Mapping[str, Sequence[str]] | None = None,
    tasks: Sequence[Task] | None = None,
) -> Report:
    """Check a submission against the server's rules, which the task cards hold.

    Args: path: a folder or a zip. expected_ids: file name -> the indices that must stand in it, in
        this order; left out, 0, 1, ... up to the official count. With fewer than that (a capped
        test set) a right file is partial. tasks: the server's; None: the built-in ones.
    Returns: what was found; bad content never raises.
    Raises: SubmissionError: there is nothing at the path, or neither a folder nor a zip; or
        expected_ids has a file that no task has.
    """
    known = server_files([load_task(name) for name in task_names()] if tasks is None else tasks)
    expected_ids = expected_ids or {}
    for name in expected_ids:
        if name not in known:
            raise SubmissionError(f"expected_ids: no task has {name}{suggest(name, known)}")
    with open_archive(path) as archive:
        layout = capped(path.name, [*archive.layout, *_names_problems(archive, known)])
        files = [_check(archive, file, expected_ids.get(name)) for name, file in known.items()]
    return Report(str(path), tuple(files), layout)


def _names_problems(archive: Archive, known: Mapping[str, ServerFile]) -> Iterator[str]:
    for name in archive.names:
        if name not in known:
            yield f"{shown(name)}: the server knows no such file{suggest(name, known)}"
    if not archive.names and not archive.layout:
        yield f"none of the server's files is there: {', '.join(known)}"


def _check(
    archive: Archive, server_file: ServerFile, expected_ids: Sequence[str] | None
) -> FileReport:
    name, official = server_file.file.file, server_file.file.rows
    if name not in archive.names:
        return FileReport(name, 0, official, "missing")
    try:
        lines = lines_of(name, archive.read(name))
    except SubmissionError as error:
        return FileReport(name, 0, official, "faulty", (str(error),))
    rows = max(len(lines) - 1, 0)
    ids = [str(row) for row in range(official)] if expected_ids is None else expected_ids
    if problems := capped(name, row_problems(server_file, lines, ids)):
        return FileReport(name, rows, official, "faulty", problems)
    return FileReport(name, rows, official, "ok" if len(ids) == official else "partial")
