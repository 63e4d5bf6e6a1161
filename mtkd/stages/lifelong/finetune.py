"""finetune: each checkpoint on each corpus's tasks, by several seeds, for scores that compare."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os.path
from collections.abc import Iterator
from statistics import fmean

from mtkd.stages import prepare
from mtkd.stages.fit import Fit, fit_unit
from mtkd.stages.lifelong.run import CHECKPOINTS, DOWNSTREAM, LifelongRun
from mtkd.stages.unit import Unit

STAGE = "finetune"


def rows_units(run: LifelongRun, stage: str) -> list[Unit]:
    """Return the units of the tasks' rows, which are read before anything is trained."""
    if run.on_tasks is None:
        return []
    found = [unit for unit in prepare.units(run.on_tasks) if unit.place.startswith("prepared/")]
    return [_within(unit, stage) for unit in found]


def units(run: LifelongRun) -> list[Unit]:
    """Return each fine-tuned copy; nothing without tasks."""
    inner = run.on_tasks
    if inner is None:
        return []
    fits = [
        fit_unit(
            inner,
            Fit(
                stage=STAGE,
                place=_copy(name, task, seed),
                encoder=inner.recipe.student,
                tasks=(task,),
                heads=inner.recipe.student.heads,
                training=inner.recipe.training,
                seed_names=(STAGE, task, str(seed)),
                weights=f"../{CHECKPOINTS}/{name}",
            ),
        )
        for name, task, seed in _all(run)
    ]
    return [_within(unit, STAGE) for unit in fits]


def copies(run: LifelongRun) -> tuple[str, ...]:
    """Return the places of the fine-tuned copies."""
    return tuple(f"{DOWNSTREAM}/{_copy(name, task, seed)}" for name, task, seed in _all(run))


def _all(run: LifelongRun) -> Iterator[tuple[str, str, int]]:
    assert run.on_tasks is not None
    yield from itertools.product(run.names, run.on_tasks.tasks, _seeds(run))


def _seeds(run: LifelongRun) -> range:
    return range(1, run.recipe.downstream.seeds + 1)


def _copy(checkpoint: str, task: str, seed: int) -> str:
    """Return where a fine-tuned copy stands in the folder of the run on tasks."""
    return f"{STAGE}/{checkpoint}/{task}/{seed}"


def scores(run: LifelongRun) -> list[list[list[float]]]:
    """Return, by checkpoint and corpus, the mean dev score of its tasks by each seed."""
    return [
        [[fmean(_score(run, name, task, seed) for task in tasks) for seed in _seeds(run)]
         for tasks in run.downstream]
        for name in run.names
    ]  # fmt: skip


def _score(run: LifelongRun, checkpoint: str, task: str, seed: int) -> float:
    path = run.folder / DOWNSTREAM / _copy(checkpoint, task, seed) / "metrics.json"
    return float(json.loads(path.read_text("utf-8"))["chosen"]["mean"])


def _within(unit: Unit, stage: str) -> Unit:
    """Return a unit of the run on tasks as one of the whole run."""

    def place(inner: str) -> str:
        return os.path.normpath(f"{DOWNSTREAM}/{inner}")

    return dataclasses.replace(
        unit, stage=stage, place=place(unit.place), needs=tuple(map(place, unit.needs))
    )
