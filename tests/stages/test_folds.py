"""Out-of-fold soft labels: who scored a row had not seen it."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from mtkd.devices import start_accelerator
from mtkd.examples import Fold, fold_numbers
from mtkd.inference import predict
from mtkd.model import MultiTaskModel
from mtkd.pipeline import carry_out, forecast, open_run
from mtkd.recipe import load_recipe
from mtkd.soft_labels import read_batches, read_info
from mtkd.stages import Run
from mtkd.stages.prepared import open_prepared
from mtkd.stages.rows import training_task
from tests.carry_out import carried_out

ENCODERS = {"uncased": 0, "cased": 1}


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_fold_teacher_is_trained_on_the_other_folds_rows_and_no_others(
    folds_run: Run, number: int
) -> None:
    encoder = folds_run.recipe.student.encoder
    task = training_task(folds_run, encoder, "rte", ranked=False, temperature=None,
                         unlabelled=False, fold=Fold(number, 3))  # fmt: skip
    numbers = fold_numbers(task.rows.guids, 3)
    assert sorted(task.places) == sorted(np.flatnonzero(numbers != number))
    assert 0 < len(task.places) < len(task.rows)


@pytest.mark.parametrize("name", ["rte", "stsb"])
def test_each_train_row_has_the_logits_of_the_teacher_that_did_not_see_it(
    folds_run: Run, name: str
) -> None:
    (batch,) = read_batches(folds_run.folder / "soft_labels" / name / "train.parquet")
    teachers = folds_run.recipe.teachers
    assert teachers is not None
    accelerator = start_accelerator("fp32")
    for column, candidate in enumerate(teachers.candidates):
        rows = open_prepared(folds_run, candidate.encoder, name).split("train")
        numbers = fold_numbers(rows.guids, 3)
        full = MultiTaskModel.load(folds_run.folder / f"teachers/{candidate.name}/{name}")
        assert not np.allclose(predict(full, name, rows, accelerator), batch.logits[:, column])
        for number in range(3):
            place = f"folds/{number}/teachers/{candidate.name}/{name}"
            model = MultiTaskModel.load(folds_run.folder / place)
            theirs = predict(model, name, rows, accelerator)
            mine = numbers == number
            np.testing.assert_allclose(batch.logits[mine, column], theirs[mine], atol=1e-5)
            assert not np.allclose(batch.logits[~mine, column], theirs[~mine], atol=1e-5)


def test_dev_is_scored_by_teachers_of_all_rows_and_the_stores_say_which(folds_run: Run) -> None:
    stores = folds_run.folder / "soft_labels" / "rte"
    assert read_info(stores / "train.parquet").folds == 3
    assert read_info(stores / "dev.parquet").folds == 0
    assert read_info(stores / "unlabelled.parquet").folds == 0
    (dev,) = read_batches(stores / "dev.parquet")
    rows = open_prepared(folds_run, folds_run.recipe.student.encoder, "rte").split("dev")
    full = MultiTaskModel.load(folds_run.folder / "teachers/uncased/rte")
    expected = predict(full, "rte", rows, start_accelerator("fp32"))
    np.testing.assert_allclose(dev.logits[:, 0], expected, atol=1e-5)


def test_a_part_without_rows_does_no_harm(folds_recipe: Path, tmp_path: Path) -> None:
    """20 rows in 20 parts: some have none."""
    run = carried_out(
        folds_recipe, tmp_path / "run", "tasks=[rte]", "teachers.select.keep=1",
        "teachers.select.by=[rte]", "soft_labels={folds: 20}", "data.max_rows.train=20",
        "training.batch_size=32", last="soften",
    )  # fmt: skip
    (batch,) = read_batches(run.folder / "soft_labels/rte/train.parquet")
    sizes = np.bincount(fold_numbers(batch.guids.to_pylist(), 20), minlength=20)
    assert sizes.min() == 0
    assert batch.known.all()


def test_what_folds_cost_is_forecast(folds_run: Run, tmp_path: Path) -> None:
    header, rows = forecast(Run(folds_run.recipe, folds_run.tasks, tmp_path / "new"), "teach")
    steps = {row[1]: row[header.index("steps")] for row in rows if row[0] == "teach"}
    assert len(steps) == 4 + 3 * 4
    full, part = (int(steps[p]) for p in ("teachers/uncased/rte", "folds/0/teachers/uncased/rte"))
    assert part == pytest.approx(full * 2 / 3, abs=1)


def test_what_folds_cost_is_said_before_the_first_training(
    folds_recipe: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO, logger="mtkd")
    monkeypatch.setattr("mtkd.pipeline.make._Maker._make", stop)
    recipe = load_recipe(str(folds_recipe))
    run = open_run(recipe, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        carry_out(run, recipe, "teach")
    assert "12 more trainings (3 folds x 2 teachers x 2 tasks)" in caplog.text


def stop(*_: object) -> None:
    raise KeyboardInterrupt
