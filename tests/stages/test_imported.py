"""Imported stores stand in for teachers, after the same checks."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from mtkd.errors import RecipeError, StoreError
from mtkd.pipeline import open_run
from mtkd.recipe import load_recipe
from mtkd.soft_labels import StoreInfo, StoreWriter, read_batches, read_info
from mtkd.stages import Run
from mtkd.stages.combination import combination_settings
from tests.carry_out import carried_out, sign


def student(run: Run) -> str:
    return hashlib.sha256((run.folder / "student/model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, folds_recipe: Path) -> Run:
    """Without folds and unlabelled rows, to the student."""
    place = tmp_path_factory.mktemp("runs") / "taught"
    return carried_out(folds_recipe, place, "soft_labels={}", last="distill")


def imported(taught: Run, *tasks: str) -> list[str]:
    stores = ", ".join(f"{t}: {taught.folder / 'soft_labels' / t}" for t in tasks)
    return ["teachers=null", f"soft_labels={{imported: {{{stores}}}}}"]


def test_a_student_of_imported_stores_is_the_student_of_the_teachers_that_made_them(
    taught: Run, folds_recipe: Path, tmp_path: Path
) -> None:
    run = carried_out(folds_recipe, tmp_path / "run", *imported(taught, "rte", "stsb"))
    assert student(run) == student(taught)
    assert not (run.folder / "teachers").exists()
    table = (run.folder / "evaluation/table.md").read_text()
    assert "ensemble" in table  # the stores have dev rows, which are scored


def test_a_store_of_train_alone_is_enough_and_is_softened_anew(
    taught: Run, folds_recipe: Path, tmp_path: Path
) -> None:
    path = taught.folder / "soft_labels/rte/train.parquet"
    run = carried_out(folds_recipe, tmp_path / "run", "teachers=null",
                      f"soft_labels={{temperature: 3, imported: {{rte: {path}}}}}")  # fmt: skip
    made = run.folder / "soft_labels/rte/train.parquet"
    assert read_info(made).temperature == 3
    (before,), (after,) = read_batches(path), read_batches(made)
    np.testing.assert_array_equal(after.logits, before.logits)
    assert after.targets.max() < before.targets.max()


def test_stores_of_other_rows_tasks_or_splits_are_refused(
    taught: Run, folds_recipe: Path, unlabelled_file: Path, tmp_path: Path
) -> None:
    stores = taught.folder / "soft_labels"
    for override, said in (
        (f"imported: {{rte: {stores / 'stsb/train.parquet'}}}", "is of stsb"),
        (f"imported: {{rte: {stores / 'rte/dev.parquet'}}}", "no soft labels for train"),
        (f"imported: {{rte: {tmp_path / 'no.parquet'}}}", "no such soft-label store"),
    ):
        with pytest.raises(StoreError, match=said):
            carried_out(
                folds_recipe, tmp_path / "a", "teachers=null", f"soft_labels={{{override}}}"
            )
    only = f"imported: {{rte: {stores / 'rte'}}}"
    rows = "unlabelled: {files: {rte: " + str(unlabelled_file) + "}}"
    with pytest.raises(StoreError, match="no soft labels for unlabelled"):
        carried_out(
            folds_recipe, tmp_path / "a", "teachers=null", f"soft_labels={{{only}, {rows}}}"
        )
    with pytest.raises(StoreError, match="data fingerprint"):
        carried_out(folds_recipe, tmp_path / "b", *imported(taught, "rte"),
                    "data.max_rows.train=20")  # fmt: skip
    both = f"soft_labels={{imported: {{rte: {stores / 'rte'}}}}}"
    with pytest.raises(RecipeError, match=r"among teachers\.tasks too"):
        open_run(load_recipe(str(folds_recipe), [both]), tmp_path / "c")


def test_classes_in_another_order_are_refused_before_a_student_learns_them(
    taught: Run, folds_recipe: Path, tmp_path: Path
) -> None:
    """The store claims the card's order, and its columns stand in another."""
    (batch,) = read_batches(taught.folder / "soft_labels/rte/train.parquet")
    info = read_info(taught.folder / "soft_labels/rte/train.parquet")
    sure = np.zeros((len(batch.gold), 1, 2), dtype=np.float32)
    sure[np.arange(len(batch.gold)), 0, batch.gold.astype(int)] = 4.0
    clean = StoreInfo("rte", "train", info.labels, 1.0, info.teachers[:1], info.data_fingerprint)
    for name, logits in (("right", sure), ("swapped", sure[:, :, ::-1])):
        with StoreWriter(tmp_path / f"{name}.parquet", clean) as writer:
            writer.append(batch.guids, batch.gold, np.ascontiguousarray(logits))
    give = "soft_labels={{imported: {{rte: {}}}}}"
    right = give.format(tmp_path / "right.parquet")
    carried_out(folds_recipe, tmp_path / "a", "teachers=null", right, last="soften")
    swapped = give.format(tmp_path / "swapped.parquet")
    with pytest.raises(StoreError, match="another order"):
        carried_out(folds_recipe, tmp_path / "b", "teachers=null", swapped, last="soften")
    # and again before a student is trained, should the store have been replaced since
    shutil.copy(tmp_path / "swapped.parquet", tmp_path / "a/soft_labels/rte/train.parquet")
    sign(tmp_path / "a/soft_labels/rte")
    with pytest.raises(StoreError, match="another order"):
        carried_out(folds_recipe, tmp_path / "a", "teachers=null", right, last="distill")


def test_stores_of_teachers_in_another_order_are_refused(
    taught: Run, folds_recipe: Path, tmp_path: Path
) -> None:
    """What is fitted on dev is one number a teacher, by place."""
    stores = taught.folder / "soft_labels/rte"
    for split in ("train", "dev"):
        (batch,) = read_batches(stores / f"{split}.parquet")
        info = read_info(stores / f"{split}.parquet")
        turned = dataclasses.replace(info, teachers=info.teachers[::-1], rows=0, row_groups=())
        with StoreWriter(tmp_path / f"{split}.parquet", turned if split == "dev" else info) as file:
            file.append(batch.guids, batch.gold, batch.logits[:, ::-1])
    override = f"soft_labels={{combine: fitted, imported: {{rte: {tmp_path}}}}}"
    with pytest.raises(StoreError, match="teachers of dev are cased, uncased"):
        carried_out(folds_recipe, tmp_path / "run", "teachers=null", override, last="soften")


def test_imported_stores_are_weighted_by_the_metrics_of_the_card(
    taught: Run, folds_recipe: Path, tmp_path: Path
) -> None:
    place = taught.folder / "soft_labels/rte"
    overrides = ["teachers=null", f"soft_labels={{combine: dev_score, imported: {{rte: {place}}}}}"]
    run = carried_out(folds_recipe, tmp_path / "run", *overrides, last="soften")
    assert read_info(run.folder / "soft_labels/rte/train.parquet").weights is not None
    assert combination_settings(run, "rte")["metrics"] == ["accuracy"]
