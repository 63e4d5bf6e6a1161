"""What a validation found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal

_SHOWN = 5  # problems named a file


@dataclass(frozen=True)
class FileReport:
    """One file of the server's.

    status: ok; partial: right as far as it goes, for a test set that was capped; faulty: the server
    would refuse it, see problems; missing: not there.
    """

    file: str
    rows: int  # found, without the header
    expected: int  # rows of the official test set
    status: Literal["ok", "partial", "faulty", "missing"]
    problems: tuple[str, ...] = ()  # "RTE.tsv:17: ..."


@dataclass(frozen=True)
class Report:
    """All the server's files, and what is wrong with the folder or zip as a whole."""

    path: str
    files: tuple[FileReport, ...]
    layout: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Return everything for which the server would refuse the submission or score it wrong."""
        return self.layout + tuple(problem for file in self.files for problem in file.problems)

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the names of the server's files that are not there."""
        return tuple(file.file for file in self.files if file.status == "missing")

    @property
    def valid(self) -> bool:
        """Return whether what is there is right."""
        return not self.problems

    @property
    def complete(self) -> bool:
        """Return whether everything is there, for the whole test sets, and right."""
        return self.valid and all(file.status == "ok" for file in self.files)

    def to_json(self) -> dict[str, Any]:
        """Return the report as what `json` can write."""
        return {
            "path": self.path,
            "valid": self.valid,
            "complete": self.complete,
            "missing": list(self.missing),
            "problems": list(self.problems),
            "files": [asdict(file) | {"problems": list(file.problems)} for file in self.files],
        }


def capped(where: str, problems: Iterable[str]) -> tuple[str, ...]:
    """Return the first few problems, and how many more there are."""
    rest: Iterator[str] = iter(problems)
    shown = list(islice(rest, _SHOWN))
    if more := sum(1 for _ in rest):
        shown.append(f"{where}: and {more} more")
    return tuple(shown)
