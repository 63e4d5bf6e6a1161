"""What losses between encoders are on dev rows, which a training on them alone is looked at by."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from mtkd.stages.fit import Fit
from mtkd.stages.prepared import open_prepared
from mtkd.stages.unit import Run
from mtkd.training import Evaluation, TrainingTask
from mtkd.training.live import LiveObjective, StudentOfEncoders

if TYPE_CHECKING:
    from accelerate import Accelerator

_ROWS = 32  # at once

log = logging.getLogger(__name__)


def dev_losses(
    run: Run, fit: Fit, goal: LiveObjective, accelerator: Accelerator
) -> Callable[[StudentOfEncoders], Evaluation]:
    """Return what scores a student by its losses on dev: a task's score is less its loss."""
    splits = {}
    for name, teacher in sorted(goal.teachers.items()):
        task = run.tasks[name]
        own = open_prepared(run, fit.encoder.encoder, name)
        theirs = open_prepared(run, fit.live[name].encoder, name)
        for split in task.dev_splits:
            rows = dataclasses.replace(teacher, rows=theirs.split(split))
            splits[name, split] = (
                TrainingTask(task, own.split(split)),
                LiveObjective(None, {name: rows}),
            )

    def evaluate(student: StudentOfEncoders) -> Evaluation:
        metrics: dict[str, dict[str, float]] = {}
        scores: dict[str, list[float]] = {}
        for (name, split), (task, own) in splits.items():
            found = mean_losses(student, task, own, accelerator)
            metrics[f"{name}/{split}"] = found
            scores.setdefault(name, []).append(-found["loss"])
        result = Evaluation({n: sum(s) / len(s) for n, s in scores.items()}, metrics)
        log.info("%s: mean loss on dev %.4f", fit.place, -result.mean)
        return result

    return evaluate


@torch.no_grad()
def mean_losses(
    student: StudentOfEncoders, task: TrainingTask, goal: LiveObjective, accelerator: Accelerator
) -> dict[str, float]:
    """Return the loss and its terms on all rows of a task that has a live teacher.

    Returns: "loss", and each term before its weight, a mean over all rows or all their tokens.
    """
    student.eval()
    terms = goal.teachers[task.name].terms
    order = np.argsort(-task.rows.lengths, kind="stable")
    sums = dict.fromkeys((term.name for term in terms), 0.0)
    for start in range(0, len(order), _ROWS):
        rows = order[start : start + _ROWS]
        piece = goal.whole(task, rows, accelerator)
        _, parts = goal.loss(student, task, piece, 1.0, 0.0, accelerator)
        units = {"row": len(rows), "token": int(task.rows.lengths[rows].sum())}
        for term in terms:
            sums[term.name] += parts[term.name].item() * units[term.unit]
    units = {"row": len(order), "token": int(task.rows.lengths.sum())}
    means = {term.name: sums[term.name] / units[term.unit] for term in terms}
    return {"loss": sum(term.weight * means[term.name] for term in terms), **means}
