"""What one forward and backward pass needs, made ahead of time and moved without waiting."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtkd.devices import moved
from mtkd.training.task import TrainingTask


@dataclasses.dataclass(frozen=True)
class Targets:
    """What some rows are to be: gold labels, NaN where unknown, and what the task has beside.

    gold: (batch,). soft: probabilities, (batch, classes), or scores, (batch, 1); known: whether a
    row has them, (batch,). weights: of each row's loss, (batch,). groups: the question of each row
    of a ranked task, (batch,).
    """

    gold: Tensor
    soft: Tensor | None = None
    known: Tensor | None = None
    weights: Tensor | None = None
    groups: Tensor | None = None


@dataclasses.dataclass(frozen=True)
class Batch:
    """Some rows of one task: the model's inputs, and targets."""

    inputs: dict[str, Tensor]
    targets: Targets

    def to(self, device: torch.device) -> Batch:
        """Return the batch on `device`; copies to a GPU are pinned, and nobody waits for them."""
        targets = dataclasses.replace(
            self.targets,
            **{
                field.name: moved(tensor, device)
                for field in dataclasses.fields(Targets)
                if (tensor := getattr(self.targets, field.name)) is not None
            },
        )
        return Batch({name: moved(t, device) for name, t in self.inputs.items()}, targets)


def make_batch(task: TrainingTask, rows: NDArray[np.int64]) -> Batch:
    """Return the batch of some rows, on the CPU."""
    soft = task.soft
    return Batch(
        task.rows.batch(rows),
        Targets(
            gold=task.rows.gold(rows),
            soft=None if soft is None else torch.as_tensor(soft.targets[rows]),
            known=None if soft is None else torch.as_tensor(soft.known[rows]),
            weights=None if task.weights is None else torch.as_tensor(task.weights[rows]),
            groups=torch.as_tensor(task.rows.groups[rows]) if task.ranked else None,
        ),
    )
