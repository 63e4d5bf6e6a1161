"""A row of a task."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """One row: `<task>/<split>/<id>`, one or two texts, and the gold label.

    label: the class's index into `Task.labels`, the score of a regression task, or None if unknown.
    """

    guid: str
    texts: tuple[str, ...]
    label: int | float | None
