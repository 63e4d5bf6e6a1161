"""One task as the loop sees it: rows, gold labels, soft labels."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mtkd.examples.prepared import PreparedSplit
from mtkd.soft_labels import SoftTargets
from mtkd.task import Task


@dataclasses.dataclass(frozen=True)
class TrainingTask:
    """A task, its rows, and soft labels for some or all of them.

    ranked: rows with the same first text are ranked against each other. chosen: the rows to train
    on, in their order; None for all. weights: (rows,), of each row's loss; None for 1.
    """

    task: Task
    rows: PreparedSplit
    soft: SoftTargets | None = None
    ranked: bool = False
    chosen: NDArray[np.int64] | None = None
    weights: NDArray[np.float32] | None = None

    @property
    def name(self) -> str:
        """Return the task's name."""
        return self.task.name

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Return the numbers, in `rows`, of the rows to train on."""
        return np.arange(len(self.rows)) if self.chosen is None else self.chosen
