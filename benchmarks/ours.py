"""mtkd's side of each comparison: an epoch of training, and scoring by several teachers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine import clock
from benchmarks.rows import TaskRows, fresh_model
from mtkd.devices import start_accelerator
from mtkd.inference import predict
from mtkd.recipe import TrainingSettings
from mtkd.training import Evaluation, Objective, TrainingTask, train

if TYPE_CHECKING:
    from mtkd.devices import Precision
    from mtkd.model import MultiTaskModel
    from mtkd.soft_labels import SoftTargets

BATCH = 32


def train_epoch(
    rows: Mapping[str, TaskRows],
    precision: Precision = "auto",
    soft: Mapping[str, SoftTargets] | None = None,
    seed: int = 1,
) -> float:
    """Return the seconds of one multi-task epoch; arguments as of `epoch`."""
    return epoch(rows, precision, soft, seed)()


def epoch(
    rows: Mapping[str, TaskRows],
    precision: Precision = "auto",
    soft: Mapping[str, SoftTargets] | None = None,
    seed: int = 1,
) -> Callable[[], float]:
    """Return what trains for one multi-task epoch, once, and returns its seconds.

    As `mtkd run` trains, evaluation left out; the model is there before.

    Args: soft: soft labels of some tasks, which then weigh half, as in the paper.
    """
    model = fresh_model(tuple(rows))
    accelerator = start_accelerator(precision)
    settings = TrainingSettings(epochs=1, batch_size=BATCH, precision=precision, keep="last")
    tasks = [
        TrainingTask(r.task, r.split, soft=(soft or {}).get(name), chosen=r.chosen)
        for name, r in rows.items()
    ]

    def run() -> float:
        with tempfile.TemporaryDirectory() as folder:
            started = clock()
            train(
                model,
                tasks,
                settings,
                Objective(0.5 if soft else 0.0),
                accelerator,
                seed=seed,
                folder=Path(folder),
                evaluate=lambda _: Evaluation({"none": 0.0}, {}),
                title="benchmark",
            )
            return clock() - started

    return run


def score(rows: Mapping[str, TaskRows], teachers: Sequence[MultiTaskModel]) -> float:
    """Return the seconds in which every teacher scores every task's rows."""
    accelerator = start_accelerator("auto")
    started = clock()
    for teacher in teachers:
        for name, task_rows in rows.items():
            predict(teacher, name, task_rows.split, accelerator, rows=task_rows.chosen)
    return clock() - started
