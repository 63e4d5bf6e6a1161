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


def test_a_run_that_is_stale_is_made_anew_only_when_told_to(
    student: Path,
    half_recipe: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
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
    capsys.readouterr()
    for more in ((), ("--dry-run",)):
        assert code_of(monkeypatch, *changed, *more) == 2
        said = capsys.readouterr().err
        assert "runs/half: student is stale (training.epochs: 2 -> 1)" in said
        assert "--rerun to make it anew" in said
        assert f"student.init={tmp_path / 'runs' / 'half'} to take the run" in said
    assert weights.read_bytes() == before
    as_it_is = (*command, f"student.init={tmp_path / 'runs' / 'half'}")
    assert code_of(monkeypatch, *as_it_is) == 0
    assert code_of(monkeypatch, "status", str(student), *changed[2:]) == 0
    assert "student.init" in capsys.readouterr().out
    assert code_of(monkeypatch, *changed, "--rerun", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "runs/half comes first:" in said
    assert "prepared" in said  # and what comes then
    assert weights.read_bytes() == before
    assert code_of(monkeypatch, *changed, "--rerun") == 0
    after = weights.read_bytes()
    assert after != before
    weights.write_bytes(after[:-1] + bytes([after[-1] ^ 1]))
    assert code_of(monkeypatch, *changed) == 2


def test_a_run_that_has_gone_is_named_with_the_key_that_asks_for_it(
    student: Path, half_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    carried_out(half_recipe, tmp_path / "runs" / "mine", last="evaluate")
    command = ("status", str(student))
    for meant in ("mine", "runs/mine/student"):
        assert code_of(monkeypatch, *command, f"student.init={meant}") == 2
        said = capsys.readouterr().err
        assert f"student.init: {meant}" in said
        assert "runs/mine is a run directory: is it meant?" in said
    assert code_of(monkeypatch, *command, "student.init=runs/gone") == 2
    assert "student.init: runs/gone: no such recipe, file or run" in capsys.readouterr().err


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


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("student.layers=2", "student.layers: 2, but the encoder of student.init has 1"),
        ("student.heads.rtee.dropout=0.1", "student.heads.rtee: no such task"),
        ("data.root=nowhere", "nowhere"),
        ("teachers={candidates: [{name: a, encoder: ./nowhere}], tasks: [rte], select: {keep: 1}}",
         "./nowhere: no such directory"),
        ("student.losses={pkd: {weight: 1.0}}", "student.losses: 1 fault(s)"),
        ("student.losses={minilm: {weight: 1.0, relation_heads: 5}}",
         "student.losses.minilm.relation_heads: 5 does not divide both widths"),
    ],
)  # fmt: skip
def test_what_cannot_start_from_it_is_refused_before_it_is_made(
    override: str,
    says: str,
    student: Path,
    tiny_encoder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    teachers = ("teachers={candidates: [{name: a, encoder: " + tiny_encoder + "}], tasks: [rte], "
                "select: {keep: 1}}")  # fmt: skip
    given = (teachers, override) if "losses" in override else (override,)
    for more in ((), ("--dry-run",)):
        assert code_of(monkeypatch, "run", str(student), *given, *more) == 2
        assert says in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
