"""`student.init`: a student that starts from the encoder of a compress recipe or its run."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mtkd.artifacts import read_manifest
from mtkd.encoders import encoder_slug
from mtkd.errors import RecipeError, RunDirError
from mtkd.pipeline import carry_out, open_run
from mtkd.recipe import load_recipe
from mtkd.stages.compressed import compressed
from tests.carry_out import carried_out
from tests.cli.process import code_of


@pytest.fixture
def student(tmp_path: Path, half_recipe: Path, tiny_glue: Path) -> Path:
    """A glue recipe whose student starts from it."""
    content = {
        "name": "small",
        "tasks": ["rte"],
        "data": {"root": str(tiny_glue), "max_length": 32},
        "student": {"init": str(half_recipe)},
        "training": {"epochs": 1, "precision": "fp32"},
    }
    path = tmp_path / "small.yaml"
    OmegaConf.save(OmegaConf.create(content), path)
    return path


def test_a_student_has_the_weights_and_the_size_of_what_was_compressed(
    student: Path, half_recipe: Path, tmp_path: Path
) -> None:
    recipe, folder = load_recipe(str(student)), tmp_path / "runs" / "small"
    first = compressed(recipe, folder)
    assert first is not None
    assert first.folder == tmp_path / "runs" / "half"
    assert not first.is_made()
    carry_out(open_run(first.recipe, first.folder), first.recipe, None)
    assert first.is_made()
    run = carried_out(student, folder)
    config = OmegaConf.load(folder / "student" / "config.json")
    assert (config.model_type, config.n_layers) == ("distilbert", 1)
    manifest = read_manifest(folder / "student")
    assert manifest is not None
    files = read_manifest(first.folder / "student").files  # type: ignore[union-attr]
    assert manifest.inputs["encoder file model.safetensors"] in str(files["model.safetensors"])
    # a run's own folder names it, wherever runs are kept
    assert encoder_slug(run.recipe.student.encoder) == "half--student"


def test_a_run_directory_can_be_named_in_place_of_its_recipe(
    student: Path, half_recipe: Path, tmp_path: Path
) -> None:
    carried_out(half_recipe, tmp_path / "elsewhere", last="evaluate")
    recipe = load_recipe(str(student), [f"student.init={tmp_path / 'elsewhere'}"])
    found = compressed(recipe, tmp_path / "runs" / "small")
    assert found is not None
    assert found.encoder == tmp_path / "elsewhere" / "student"
    assert found.is_made()
    # and what was kept in a run directory reads as it was written
    run = open_run(recipe, tmp_path / "runs" / "small")
    assert run.recipe.student.encoder == str(found.encoder)  # type: ignore[union-attr]


def test_a_run_whose_recipe_has_changed_since_is_made_anew_by_the_command(
    student: Path, half_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that is damaged is not trained from."""
    monkeypatch.chdir(tmp_path)
    command = ("prepare", str(student), "--run-dir", "runs/small")
    weights = tmp_path / "runs" / "half" / "student" / "model.safetensors"
    assert code_of(monkeypatch, *command) == 0
    before = weights.read_bytes()
    content = OmegaConf.load(half_recipe)
    content.training.epochs = 1
    OmegaConf.save(content, tmp_path / "half.yaml")
    changed = (*command, f"student.init={tmp_path / 'half.yaml'}")
    assert code_of(monkeypatch, *changed) == 0
    after = weights.read_bytes()
    assert after != before
    weights.write_bytes(after[:-1] + bytes([after[-1] ^ 1]))
    assert code_of(monkeypatch, *changed) == 2


def test_what_is_not_made_yet_is_named_with_the_command_that_makes_it(
    student: Path, tmp_path: Path
) -> None:
    with pytest.raises(RunDirError, match=r"student.init: .*half/student is not made.*mtkd compr"):
        open_run(load_recipe(str(student)), tmp_path / "runs" / "small")


def test_a_recipe_of_tasks_cannot_be_compressed_to(student: Path, tmp_path: Path) -> None:
    recipe = load_recipe(str(student), ["student.init=quickstart"])
    with pytest.raises(RecipeError, match=r"student.init: quickstart is a recipe of kind glue"):
        open_run(recipe, tmp_path / "run")


def test_an_encoder_beside_init_is_refused(student: Path) -> None:
    with pytest.raises(RecipeError, match="encoder, or init for one"):
        load_recipe(str(student), ["student.encoder=some/encoder"])
