"""Rows that are not chosen teach nothing: else an out-of-fold teacher would see its own part."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mtkd.training import Objective, TrainingTask
from mtkd.training import loop as loop_module
from mtkd.training import objective as objective_module
from mtkd.training.batch import Batch
from mtkd.training.memory import MemoryPlan
from tests.rows import QNLI, RTE, STSB
from tests.training.small import Small


@pytest.mark.parametrize("task", [RTE, STSB, QNLI], ids=lambda task: task.name)
def test_an_epoch_reads_every_chosen_row_once_and_no_other(
    small: Small, tmp_path: Path, task: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = small.splits[task.name]  # type: ignore[attr-defined]
    chosen = np.flatnonzero(np.arange(len(rows)) % 3 == 2)  # neither the first rows nor a range
    seen: list[int] = []
    original = objective_module.make_batch

    def noting(task: TrainingTask, places: NDArray[np.int64]) -> Batch:
        seen.extend(places.tolist())
        return original(task, places)

    monkeypatch.setattr(objective_module, "make_batch", noting)
    monkeypatch.setattr(loop_module, "plan_memory", lambda *_, **__: MemoryPlan(4, 1, False))
    given = TrainingTask(task, rows, ranked=task is QNLI)  # type: ignore[arg-type]
    small.fit(tmp_path, tasks=[dataclasses.replace(given, chosen=chosen)], epochs=1,
              objective=Objective(0.0))  # fmt: skip
    assert sorted(seen) == chosen.tolist()
