"""The files that the server knows, as the task cards tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from mtkd.task import SubmissionFile, Task

HEADER = "index\tprediction"


@dataclass(frozen=True)
class ServerFile:
    """One file of a submission, and the task that it answers."""

    task: Task
    file: SubmissionFile


def server_files(tasks: Iterable[Task]) -> dict[str, ServerFile]:
    """Return file name -> file, in the order of tasks and of their cards."""
    return {file.file: ServerFile(task, file) for task in tasks for file in task.submission}


def suggest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'RTE.tsv'?" for a name that differs by letter case or by a little."""
    by_stem = {word.casefold().removesuffix(".tsv"): word for word in known}
    close = get_close_matches(name.casefold().removesuffix(".tsv"), by_stem, n=1, cutoff=0.6)
    return f"; did you mean '{by_stem[close[0]]}'?" if close else ""
