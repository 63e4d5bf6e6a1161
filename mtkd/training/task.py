"""One task as the loop sees it: rows, gold labels, soft labels."""

from __future__ import annotations

import dataclasses

from mtkd.examples import PreparedSplit
from mtkd.soft_labels import SoftTargets
from mtkd.task import Task


@dataclasses.dataclass(frozen=True)
class TrainingTask:
    """A task, its training rows, and soft labels for some or all of them."""

    task: Task
    rows: PreparedSplit
    soft: SoftTargets | None = None
    ranked: bool = False  # rows with the same first text are ranked against each other
