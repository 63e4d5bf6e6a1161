"""Where a run stands, and what an epoch's evaluation makes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from mtkd.recipe import TrainingSettings
from mtkd.training.best import MEAN, BestWeights
from mtkd.training.goal import Trained
from mtkd.training.journal import Journal


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What an epoch's evaluation found.

    scores: one a task, higher is better. metrics: all of them, by task and split. constant: where
    the model said the same of every row.
    """

    scores: Mapping[str, float]
    metrics: Mapping[str, Mapping[str, float]]
    constant: tuple[str, ...] = ()

    @property
    def mean(self) -> float:
        """Return the mean score over tasks."""
        return sum(self.scores.values()) / len(self.scores)


@dataclasses.dataclass
class Progress:
    """Where a run stands: all that a resume needs beside weights and optimiser."""

    epoch: int = 0  # epochs done
    position: int = 0  # batches done in the current one
    step: int = 0  # updates done in all
    steps: int = 0  # updates there will be in all, which take seconds to count
    updates: dict[str, int] = dataclasses.field(default_factory=dict)  # done, by task
    heads: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)  # as at the start
    best: dict[str, float] = dataclasses.field(default_factory=dict)  # by task, and MEAN
    kept: dict[str, int] = dataclasses.field(default_factory=dict)  # epoch, of weights on disk
    epochs_without_better: int = 0
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    log: dict[str, Any] = dataclasses.field(default_factory=dict)  # size and SHA-256 of log.jsonl
    memory: dict[str, Any] | None = None  # the plan by which updates are run
    asked: dict[str, Any] = dataclasses.field(default_factory=dict)  # for which it was made

    def is_finished(self, settings: TrainingSettings) -> bool:
        """Return whether all updates are made, or enough epochs without a better score."""
        return self.is_stalled(settings) or self._is_through(settings)

    def is_stalled(self, settings: TrainingSettings) -> bool:
        """Return whether it stops before its end, for want of a better score."""
        patience = settings.early_stopping
        stalled = patience is not None and self.epochs_without_better >= patience
        return stalled and not self._is_through(settings)

    def _is_through(self, settings: TrainingSettings) -> bool:
        if settings.max_steps is not None:
            # at a position within an epoch, it was stopped before that was scored
            return self.step >= settings.max_steps and self.position == 0
        return self.epoch >= settings.epochs


def end_epoch(
    progress: Progress,
    evaluation: Evaluation,
    model: Trained,
    settings: TrainingSettings,
    best: BestWeights,
    journal: Journal,
) -> None:
    """Keep what is better than before, by mean score and, where asked, by each task's."""
    scores = {MEAN: evaluation.mean}
    if settings.keep_best_per_task:
        scores |= evaluation.scores
    better = [name for name, score in scores.items() if score > progress.best.get(name, -np.inf)]
    for name in better:
        progress.best[name] = scores[name]
        if settings.keep == "best" or name != MEAN:
            best.keep(name, model, progress.epoch)
    progress.epochs_without_better = 0 if MEAN in better else progress.epochs_without_better + 1
    journal.evaluation(progress.step, progress.epoch, evaluation.metrics)
    progress.history.append(
        {
            "epoch": progress.epoch,
            "step": progress.step,
            "mean": evaluation.mean,
            "metrics": {task: dict(m) for task, m in evaluation.metrics.items()},
            "constant": list(evaluation.constant),
        }
    )
    progress.epoch += 1
    progress.position = 0
