"""Rows without gold labels: the student learns them, by soft labels alone; nobody else does."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from mtkd.errors import DataError, RecipeError
from mtkd.pipeline import open_run, statuses
from mtkd.recipe import Unlabelled, load_recipe
from mtkd.soft_labels import read_store
from mtkd.stages import Run, prepare
from mtkd.stages.places import prepared_place
from mtkd.stages.rows import training_task
from mtkd.training.unlabelled import row_weights, trusted_rows
from tests.carry_out import carried_out
from tests.cli.process import code_of

PROBS = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.45, 0.55], [np.nan] * 2, [0.7, 0.3]],
                 dtype=np.float32)  # fmt: skip


def test_rows_below_the_threshold_or_without_a_soft_label_are_left_out() -> None:
    assert trusted_rows(PROBS, True, Unlabelled()).tolist() == [0, 1, 2, 3, 5]
    assert trusted_rows(PROBS, True, Unlabelled(threshold=0.65)).tolist() == [0, 2, 5]


def test_of_each_class_the_surest_are_kept() -> None:
    assert trusted_rows(PROBS, True, Unlabelled(max_per_class=1)).tolist() == [0, 2]
    assert trusted_rows(PROBS, True, Unlabelled(max_per_class=2)).tolist() == [0, 2, 3, 5]


def test_a_rows_weight_is_a_number_or_its_confidence() -> None:
    assert row_weights(PROBS, True, Unlabelled(weight=0.5)).tolist() == [0.5] * 6
    sure = row_weights(PROBS, True, Unlabelled(weight="confidence"))
    np.testing.assert_allclose(sure, [0.9, 0.6, 0.8, 0.55, 0, 0.7])
    scores = np.array([[2.5], [9.0]], dtype=np.float32)
    assert row_weights(scores, False, Unlabelled(weight="confidence")).tolist() == [1, 1]
    assert trusted_rows(scores, False, Unlabelled(threshold=0.9)).tolist() == [0, 1]


def test_the_student_sees_all_train_rows_and_the_trusted_ones(folds_run: Run) -> None:
    encoder = folds_run.recipe.student.encoder
    task = training_task(folds_run, encoder, "rte", ranked=False, temperature=1.0,
                         unlabelled=True, fold=None)  # fmt: skip
    gold = np.isfinite(task.rows.labels)
    assert gold.sum() == 48
    assert task.places.tolist() == list(range(48 + 30))
    assert task.rows.guids[48] == "rte/unlabelled/0"
    store = read_store(folds_run.folder / "soft_labels/rte/unlabelled.parquet")
    assert task.soft is not None
    np.testing.assert_array_equal(task.soft.targets[48:], store.targets)


def test_gold_rows_weigh_1_and_the_others_what_the_recipe_says(
    folds_recipe: Path, folds_run: Run
) -> None:
    for given, expected in (("0.5", np.full(30, 0.5)), ("confidence", None)):
        recipe = load_recipe(str(folds_recipe), [f"soft_labels.unlabelled.weight={given}"])
        run = open_run(recipe, folds_run.folder)
        task = training_task(run, recipe.student.encoder, "rte", ranked=False, temperature=1.0,
                             unlabelled=True, fold=None)  # fmt: skip
        assert task.weights is not None
        assert task.soft is not None
        sure = task.soft.targets[48:].max(axis=1)
        assert (sure < 1).all()
        np.testing.assert_array_equal(task.weights[:48], 1)
        np.testing.assert_allclose(task.weights[48:], sure if expected is None else expected)


def test_every_trusted_row_is_in_an_epoch_of_the_student_and_none_in_the_baselines(
    folds_run: Run,
) -> None:
    notes = {
        name: json.loads((folds_run.folder / name / "manifest.json").read_text())["notes"]
        for name in ("student", "baseline")
    }
    batches = {name: note["steps"] for name, note in notes.items()}
    assert batches["baseline"] == math.ceil(48 / 16) * 2
    assert batches["student"] == math.ceil((48 + 30) / 16) + math.ceil(48 / 16)


def test_adding_rows_without_gold_labels_makes_no_teacher_and_no_baseline_stale(
    folds_recipe: Path, folds_run: Run, tmp_path: Path
) -> None:
    more = tmp_path / "more.tsv"
    more.write_text("sentence1\tsentence2\nthe cat\ta dog\n", "utf-8")
    override = f"soft_labels.unlabelled.files.rte={more}"
    run = open_run(load_recipe(str(folds_recipe), [override]), folds_run.folder)
    state = {s.unit.place: s.state for parts in statuses(run).values() for s in parts}
    kept = {"baseline", "soft_labels/stsb", "teachers/cased/rte", "folds/1/teachers/cased/rte"}
    assert {place: state[place] for place in kept} == dict.fromkeys(kept, "done")
    made = {"student", "soft_labels/rte", "predictions_unlabelled/cased/rte"}
    assert {place: state[place] for place in made} == dict.fromkeys(made, "stale")


def test_another_threshold_makes_only_the_student_anew(folds_recipe: Path, folds_run: Run) -> None:
    changed = load_recipe(str(folds_recipe), ["soft_labels.unlabelled.threshold=0.9"])
    run = open_run(changed, folds_run.folder)
    stale = {s.unit.place for s in statuses(run)["distill"] if s.state == "stale"}
    assert stale == {"student"}
    assert {s.state for s in statuses(run)["soften"]} == {"done"}


def test_a_file_for_a_task_without_soft_labels_or_that_is_not_there_is_refused(
    folds_recipe: Path, tmp_path: Path
) -> None:
    for override, said in (
        ("soft_labels.unlabelled.files.mrpc=x.tsv", "gets no soft labels"),
        (f"soft_labels.unlabelled.files.stsb={tmp_path / 'no.tsv'}", "no such file"),
    ):
        with pytest.raises(RecipeError, match=said):
            open_run(load_recipe(str(folds_recipe), [override]), tmp_path / "run")


def test_a_cards_own_unlabelled_rows_are_learnt_too(
    folds_recipe: Path, unlabelled_file: Path, tmp_path: Path
) -> None:
    """A card of one's own names the file itself, beside it."""
    for split in ("train", "dev"):
        rows = [f"{i}\tthe cat runs\ta dog {'sees' * (i % 2)}\t{i % 2}" for i in range(20)]
        text = "\n".join(["id\tone\ttwo\tgold", *rows]) + "\n"
        (tmp_path / f"{split}.tsv").write_text(text, "utf-8")
    (tmp_path / "more.tsv").write_text("one\ttwo\nthe cat\truns\na dog\truns\n", "utf-8")
    files = {s: {"path": f"{s}.tsv", "id": "id"} for s in ("train", "dev")}
    card = {
        "name": "own", "title": "Own", "kind": "classification", "texts": ["one", "two"],
        "label": "gold", "labels": ["no", "yes"], "file_labels": ["0", "1"],
        "metrics": ["accuracy"],
        "files": {**files, "unlabelled": {"path": "more.tsv", "labelled": False}},
    }  # fmt: skip
    OmegaConf.save(OmegaConf.create(card), tmp_path / "own.yaml")
    run = carried_out(
        folds_recipe, tmp_path / "run", f"tasks=[{tmp_path / 'own.yaml'}]", "teachers.tasks=[own]",
        "soft_labels={unlabelled: {}}", last="distill",
    )  # fmt: skip
    task = training_task(run, run.recipe.student.encoder, "own", ranked=False, temperature=1.0,
                         unlabelled=True, fold=None)  # fmt: skip
    assert [g for g in task.rows.guids if "unlabelled" in g] == ["own/unlabelled/0",
                                                                 "own/unlabelled/1"]  # fmt: skip


def test_another_column_of_the_unlabelled_file_makes_its_rows_stale(
    folds_run: Run, folds_recipe: Path, tmp_path: Path
) -> None:
    def settings(columns: dict[str, str]) -> object:
        run = open_run(load_recipe(str(folds_recipe)), folds_run.folder)
        task = run.tasks["rte"]
        file = task.files["unlabelled"].model_copy(update={"columns": columns})
        changed = task.model_copy(update={"files": {**task.files, "unlabelled": file}})
        other = Run(run.recipe, {**run.tasks, "rte": changed}, run.folder)
        units = {unit.place: unit for unit in prepare.units(other)}
        place = prepared_place(run.recipe.student.encoder, "rte", "unlabelled")
        return units[place].settings

    assert settings({}) != settings({"sentence2": "sentence1"})


def test_rows_without_gold_are_wanted_only_where_the_key_is_set_and_then_have_to_be_there(
    folds_recipe: Path, folds_run: Run
) -> None:
    without = open_run(load_recipe(str(folds_recipe), ["soft_labels.unlabelled=null"]),
                       folds_run.folder)  # fmt: skip
    assert not [u for u in prepare.units(without) if "unlabelled" in u.place]
    empty = load_recipe(str(folds_recipe), ["soft_labels.unlabelled={files: {}}"])
    with pytest.raises(DataError, match="no rows without gold labels"):
        prepare.units(open_run(empty, folds_run.folder))


def test_rows_that_only_soft_labels_teach_need_a_share_of_them(folds_recipe: Path) -> None:
    with pytest.raises(RecipeError, match="these rows have no other"):
        load_recipe(str(folds_recipe), ["student.distill_weight=0"])


def test_a_run_with_unlabelled_rows_can_be_looked_into(
    folds_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(folds_run.folder)
    assert code_of(monkeypatch, "inspect", folder) == 0
    assert "out of fold (3 folds)" in capsys.readouterr().out
    assert code_of(monkeypatch, "inspect", folder, "--rows", "random", "--limit", "1") == 0
    assert "rte/unlabelled/" in capsys.readouterr().out
    guids = "rte/train/3, rte/unlabelled/5"
    assert code_of(monkeypatch, "inspect", folder, "--rows", guids, "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert [r["guid"] for s in content for r in s["rows"]] == ["rte/train/3", "rte/unlabelled/5"]
    assert content[1]["rows"][0]["texts"][1] == "a dog runs !!"
    assert code_of(monkeypatch, "inspect", folder, "--rows", "mrpc/train/3") == 2
    assert "of none of these stores" in capsys.readouterr().err
