"""Soft labels joined to a task's rows, and those that teach nothing."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mtkd.errors import StoreError
from mtkd.soft_labels import StoreInfo, StoreWriter, Teacher
from mtkd.stages import Run
from mtkd.stages.places import soft_labels_place
from mtkd.stages.prepared import open_prepared
from mtkd.stages.rows import training_task
from mtkd.training import TrainingTask
from tests.carry_out import carried_out


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, folds_recipe: Path) -> Run:
    """A run whose rows are there, and nothing else."""
    return carried_out(folds_recipe, tmp_path_factory.mktemp("runs") / "rows", last="prepare")


def write(
    run: Run, task: str, logits: NDArray[np.floating], guids: list[str] | None = None
) -> None:
    """Give the train rows these logits, (rows, classes), of one teacher."""
    data = open_prepared(run, run.recipe.student.encoder, task)
    rows = data.split("train")
    info = StoreInfo(task, "train", run.tasks[task].labels, 1.0, (Teacher("t", "e", "0" * 64),),
                     data.fingerprint("train"))  # fmt: skip
    path = run.folder / soft_labels_place(task) / "train.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    with StoreWriter(path, info) as writer:
        writer.append(guids or rows.guids, rows.labels, logits[:, None].astype(np.float32))


def read(run: Run, task: str) -> TrainingTask:
    return training_task(run, run.recipe.student.encoder, task, ranked=False, temperature=1.0,
                         unlabelled=False, fold=None)  # fmt: skip


def some_logits(run: Run, task: str) -> NDArray[np.floating]:
    rows = len(open_prepared(run, run.recipe.student.encoder, task).split("train"))
    width = run.tasks[task].num_outputs
    return np.random.default_rng(0).normal(size=(rows, width)) + (width == 1)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize("task", ["rte", "stsb"])
def test_soft_labels_that_say_the_same_of_every_row_are_named(
    prepared: Run, task: str, caplog: pytest.LogCaptureFixture
) -> None:
    logits = some_logits(prepared, task)
    same = np.tile(logits[:1], (len(logits), 1))
    same[3] = np.nan  # a row without a soft label says nothing
    write(prepared, task, same)
    read(prepared, task)
    (warning,) = said(caplog)
    assert warning.startswith(f"{task}/train: its soft labels say the same of all "
                              f"{len(logits) - 1} rows")  # fmt: skip


def test_one_class_for_every_row_is_the_same_though_probabilities_differ(
    prepared: Run, caplog: pytest.LogCaptureFixture
) -> None:
    logits = some_logits(prepared, "rte")
    logits[:, 1] = logits[:, 0] + 0.01
    write(prepared, "rte", logits)
    read(prepared, "rte")
    assert "rte/train: its soft labels say the same" in caplog.text


@pytest.mark.parametrize("task", ["rte", "stsb"])
def test_soft_labels_that_differ_are_not_spoken_of(
    prepared: Run, task: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(prepared, task, some_logits(prepared, task))
    assert read(prepared, task).soft is not None
    assert said(caplog) == []


@pytest.mark.parametrize("task", ["rte", "stsb"])
def test_a_store_without_a_soft_label_for_any_row_is_refused(prepared: Run, task: str) -> None:
    """The student would be the baseline, and be reported as distilled."""
    write(prepared, task, np.full_like(some_logits(prepared, task), np.nan))
    with pytest.raises(StoreError, match=rf"train\.parquet: none of the \d+ rows of {task}/train"):
        read(prepared, task)


def test_soft_labels_that_match_no_row_are_refused_by_guid(prepared: Run) -> None:
    logits = some_logits(prepared, "rte")
    write(prepared, "rte", logits, [f"rte/train/x{i}" for i in range(len(logits))])
    message = rf"no soft label for {len(logits)} rows of the data, first rte/train/0; delete "
    with pytest.raises(StoreError, match=message):
        read(prepared, "rte")
