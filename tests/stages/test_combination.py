"""Combinations in a run: nothing is trained or predicted again, and what dev says is used."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from mtkd.errors import RecipeError, StoreError
from mtkd.pipeline import carry_out, open_run, statuses
from mtkd.recipe import SoftLabels, load_recipe
from mtkd.soft_labels import StoreInfo, Teacher, read_batches, read_info
from mtkd.soft_labels.fit import fit_temperature
from mtkd.stages import Run
from mtkd.stages.combination import fitted
from mtkd.task import load_task
from tests.carry_out import carried_out

TEACHERS = (Teacher("a", "x", "1"), Teacher("b", "x", "2"))
RTE = load_task("rte")


@pytest.mark.parametrize(
    "override",
    ["temperature=2", "combine=logits", "combine=dev_score", "combine=fitted", "calibrate=true"],
)
def test_another_combination_rereads_logits_and_runs_no_teacher(
    folds_recipe: Path, override: str, tmp_path: Path, taught_folder: Path
) -> None:
    recipe = load_recipe(str(folds_recipe), ["soft_labels={}", f"soft_labels.{override}"])
    run = open_run(recipe, taught_folder)
    state = statuses(run)
    assert {s.state for s in state["teach"]} == {"done"}
    behind = {s.unit.place for s in state["soften"] if s.state != "done"}
    assert behind == {"soft_labels/rte", "soft_labels/stsb"}
    before = (taught_folder / "predictions/cased/rte/manifest.json").stat().st_mtime_ns
    carry_out(run, recipe, "soften")
    assert (taught_folder / "predictions/cased/rte/manifest.json").stat().st_mtime_ns == before
    info = read_info(taught_folder / "soft_labels/rte/train.parquet")
    key, value = override.split("=")
    if key == "combine":
        assert info.combine == value
        assert (info.weights is None) == (value == "logits")
    if key == "calibrate":
        assert info.teacher_temperatures is not None
        (batch,) = read_batches(taught_folder / "soft_labels/rte/train.parquet")
        scaled = batch.logits / np.array(info.teacher_temperatures)[:, None]
        each = np.exp(scaled) / np.exp(scaled).sum(axis=2, keepdims=True)
        np.testing.assert_allclose(batch.targets, each.mean(axis=1), atol=1e-5)


@pytest.fixture(scope="module")
def taught_folder(tmp_path_factory: pytest.TempPathFactory, folds_recipe: Path) -> Path:
    place = tmp_path_factory.mktemp("runs") / "taught"
    return carried_out(folds_recipe, place, "soft_labels={}", last="soften").folder


def test_dev_scores_become_weights() -> None:
    """Teacher a is right on every row, b on half of them."""
    gold = np.array([0.0, 1.0] * 10)
    right = np.where(gold[:, None] == np.arange(2), 1.0, -1.0)
    half = np.where(np.arange(20)[:, None] < 10, right, -right)
    logits = np.stack([right, half], axis=1).astype(np.float32)
    info = StoreInfo("rte", "train", RTE.labels, 1.0, TEACHERS, "f")
    found = fitted(SoftLabels(combine="dev_score"), RTE, info, [(gold, logits)], [(gold, logits)])
    np.testing.assert_allclose(found.weights, [2 / 3, 1 / 3])


def test_what_is_fitted_on_dev_needs_dev() -> None:
    info = StoreInfo("rte", "train", RTE.labels, 1.0, TEACHERS, "f")
    with pytest.raises(StoreError, match="no teachers' predictions for dev"):
        fitted(SoftLabels(calibrate=True), RTE, info, [], [])
    assert fitted(SoftLabels(combine="logits"), RTE, info, [], []).weights is None


def test_a_trimmed_mean_of_two_teachers_and_folds_of_none_are_refused(folds_recipe: Path) -> None:
    for overrides, said in (
        (["soft_labels.combine=trimmed"], "keep 3 or more"),
        (["teachers=null", "soft_labels.unlabelled=null"], "nothing to hold out"),
        (["teachers=null", "soft_labels.folds=null"], "no label at all"),
        (["soft_labels.folds=1"], "at least 2"),
    ):
        with pytest.raises(RecipeError, match=said):
            load_recipe(str(folds_recipe), overrides)


def test_a_trimmed_mean_of_two_imported_teachers_is_refused() -> None:
    info = StoreInfo("rte", "train", RTE.labels, 1.0, TEACHERS, "f")
    with pytest.raises(StoreError, match="it needs 3 or more"):
        fitted(SoftLabels(combine="trimmed"), RTE, info, [], [])


def test_with_folds_temperatures_come_from_rows_that_their_teachers_have_not_seen(
    folds_recipe: Path, folds_run: Run, tmp_path: Path
) -> None:
    """Each teacher's temperature is the best for the out-of-fold train rows, not for dev."""
    folder = tmp_path / "run"
    shutil.copytree(folds_run.folder, folder)
    recipe = load_recipe(str(folds_recipe), ["soft_labels.calibrate=true"])
    run = open_run(recipe, folder)
    carry_out(run, recipe, "soften")
    (batch,) = read_batches(folder / "soft_labels/rte/train.parquet")
    expected = [fit_temperature(batch.logits[:, k], batch.gold) for k in range(2)]
    found = read_info(folder / "soft_labels/rte/dev.parquet").teacher_temperatures
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_texts_that_stand_in_two_folds_are_counted(
    folds_recipe: Path, folds_run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The tiny data repeat themselves."""
    folder = tmp_path / "run"
    shutil.copytree(folds_run.folder, folder)
    shutil.rmtree(folder / "soft_labels/rte")
    logging.getLogger("mtkd").propagate = True
    recipe = load_recipe(str(folds_recipe))
    carry_out(open_run(recipe, folder), recipe, "soften")
    assert "rows stand in another fold too" in caplog.text
