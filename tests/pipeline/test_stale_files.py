"""Changed bytes and code: what reruns, and the file or key that `mtkd status` names."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from mtkd import encoders, stages
from mtkd.encoders import encoder_slug
from tests.cli.process import code_of
from tests.pipeline.conftest import change_a_byte, filled
from tests.pipeline.made_up import MadeUp, changed_rooms, found, make_up, make_up_one, stale
from tests.pipeline.staleness import to_be_made

# --- data -----------------------------------------------------------------------------------------


def test_one_byte_of_a_file_reruns_its_task_and_no_teacher_of_another(
    made_up_runs: dict[str, MadeUp], files: dict[str, str]
) -> None:
    made = made_up_runs["unrefined"]
    after = made.changed(f"data.root={files['changed']}")
    again = stale(after)
    assert set(again) == to_be_made(made.run, made.units, after, found(after))
    prepared = [place for place in again if place.startswith("prepared/")]
    assert {place.split("/")[-1] for place in prepared} == {"rte"}
    assert all(again[place].startswith("file train: ") for place in prepared)
    teachers = {place for place in made.units if place.startswith("teachers/")}
    assert {p for p in teachers if p in again} == {p for p in teachers if p.endswith("/rte")}
    assert "student" in again
    assert again["submission.zip"] == "made from submission, which is to be made anew"


def test_another_test_file_or_none_reruns_no_training(
    made_up_runs: dict[str, MadeUp], tiny_glue: Path, tmp_path: Path
) -> None:
    made = made_up_runs["paper"]
    glue = tmp_path / "glue"
    shutil.copytree(tiny_glue, glue)
    change_a_byte(glue / "RTE/test.tsv")
    after = made.changed(f"data.root={glue}")
    again = set(stale(after))
    assert {place.split("/")[0] for place in again} == {
        "prepared_test", "predictions", "evaluation", "submission", "submission.zip"
    }  # fmt: skip
    assert all("student" in p or "baseline" in p for p in again if p.startswith("predictions/"))
    (glue / "RTE/test.tsv").unlink()
    without = {place for place, why in stale(made.changed(f"data.root={glue}")).items() if why}
    assert {place.split("/")[0] for place in without} <= {
        "predictions", "evaluation", "submission", "submission.zip"
    }  # fmt: skip


def test_the_same_files_elsewhere_rerun_nothing(
    made_up_runs: dict[str, MadeUp], files: dict[str, str]
) -> None:
    assert stale(made_up_runs["paper"].changed(f"data.root={files['same']}")) == {}


def test_who_else_is_taught_is_held_out_of_what_fold_teachers_start_from(
    made_up_runs: dict[str, MadeUp],
) -> None:
    """Else a fold's teacher of CoLA would start from a model that has seen the rows it scores."""
    after = made_up_runs["folds"].changed("teachers.tasks=[rte,stsb,cola]")
    again = stale(after)
    for fold in range(3):
        assert again[f"folds/{fold}/refined/uncased-0.1"].startswith("held out: ")
        assert f"folds/{fold}/teachers/uncased-0.1/rte" in again
    assert "refined/uncased-0.1" not in again
    assert "teachers/uncased-0.1/rte" not in again


def test_another_order_of_candidates_is_another_order_of_columns(
    made_up_runs: dict[str, MadeUp],
) -> None:
    made = made_up_runs["folds"]
    teachers = made.run.recipe.teachers
    assert teachers is not None
    turned = [c.model_dump(exclude_none=True) for c in reversed(teachers.candidates)]
    after = made.changed(f"teachers.candidates={json.dumps(turned)}")
    assert changed_rooms(made, after) == {"selection", "soft labels", "evaluation"}
    assert not [place for place in stale(after) if place.startswith(("refined/", "teachers/"))]


def test_the_order_of_tasks_reruns_nothing(made_up_runs: dict[str, MadeUp]) -> None:
    after = made_up_runs["paper"].changed("tasks=[ax,mnli,cola,stsb,rte]",
                                          "teachers.tasks=[stsb,rte]")  # fmt: skip
    assert stale(after) == {}


# --- encoders -------------------------------------------------------------------------------------


@pytest.fixture
def own_encoder(tmp_path: Path, tiny_encoder: str) -> Path:
    return Path(shutil.copytree(tiny_encoder, tmp_path / "own-encoder"))


@pytest.mark.parametrize(
    ("file", "rooms"),
    [
        ("model.safetensors", {"student", "baseline", "finetuned"}),
        ("config.json", {"student", "baseline", "finetuned"}),
        ("tokenizer.json", {"prepared", "test"}),
        ("tokenizer_config.json", {"prepared", "test"}),
    ],
)
def test_a_changed_file_of_an_encoder_is_named(
    tiny_recipe: Path, own_encoder: Path, tmp_path: Path, file: str, rooms: set[str]
) -> None:
    made = make_up(tiny_recipe, [f"student.encoder={own_encoder}"], tmp_path / "run")
    if file.endswith(".json"):
        content = json.loads((own_encoder / file).read_text("utf-8"))
        (own_encoder / file).write_text(json.dumps({**content, "added": 1}), "utf-8")
    else:
        change_a_byte(own_encoder / file)
    forget()
    after = made.changed()
    assert changed_rooms(made, after) == rooms
    again = stale(after)
    rows = f"prepared/{encoder_slug(str(own_encoder))}/rte"
    place = rows if "prepared" in rooms else "student"
    assert file in again[place]
    before, now = again[place].partition(": ")[2].split(" -> ")
    assert before != now
    assert "refined/uncased-0.1" not in again


def test_longer_rows_of_an_encoder_rerun_prepare(
    tiny_recipe: Path, own_encoder: Path, tmp_path: Path
) -> None:
    """As when the encoder is replaced by another one with the same tokenizer."""
    made = make_up(tiny_recipe, [f"student.encoder={own_encoder}"], tmp_path / "run")
    config = json.loads((own_encoder / "config.json").read_text("utf-8"))
    longer = {**config, "max_position_embeddings": 256}
    (own_encoder / "config.json").write_text(json.dumps(longer), "utf-8")
    forget()
    place = f"prepared/{encoder_slug(str(own_encoder))}/rte"
    assert stale(made.changed())[place] == "encoder.max_position_embeddings: 128 -> 256"


def forget() -> None:
    """Forget what was seen of encoders, as the next process does."""
    for each in vars(encoders).values():
        if hasattr(each, "cache_clear"):
            each.cache_clear()


# --- code, and what was made ----------------------------------------------------------------------


@pytest.mark.parametrize("stage", list(stages.STAGES))
def test_a_raised_version_of_a_stage_reruns_it_and_what_follows(
    made_up_runs: dict[str, MadeUp], stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = made_up_runs["folds"]
    units = stages.STAGES[stage]
    raised = [dataclasses.replace(u, version=u.version + 1) for u in units(made.run)]
    monkeypatch.setitem(stages.STAGES, stage, lambda _: raised)
    again = stale(made.run)
    for unit in raised:
        assert again[unit.place] == f"code version: {unit.version - 1} -> {unit.version}"
    earlier = list(stages.STAGES)[: list(stages.STAGES).index(stage)]
    assert not {unit.place for s in earlier for unit in stages.STAGES[s](made.run)} & set(again)
    if stage != "select":  # only another selection, once it is made, has consequences
        assert "submission.zip" in again


def test_what_was_made_from_other_bytes_is_stale(tiny_recipe: Path, tmp_path: Path) -> None:
    """A student that is deleted and made again elsewhere, by other rounding, is another one."""
    made = make_up(tiny_recipe, [], tmp_path / "run")
    make_up_one(made.run, made.units["student"], "weights of another machine")
    again = stale(made.run)
    assert again["predictions/student/rte"] == "student was made anew"
    assert "evaluation" in again
    assert "submission.zip" in again
    assert "baseline" not in again


@pytest.mark.parametrize(
    ("name", "override", "place", "why"),
    [
        ("paper", "student.training.learning_rate=1e-4", "student",
         "training.learning_rate: 0.001 -> 0.0001"),
        ("paper", "teachers.candidates.1.dropout=0.2", "refined/uncased-0.3",
         "encoder.dropout: 0.3 -> 0.2"),
        ("paper", "student.heads.rte.type=san", "baseline", "head rte.type: linear -> san"),
        ("paper", "soft_labels.temperature=2", "soft_labels/rte",
         "soft_labels.temperature: 1.0 -> 2.0"),
        ("folds", "soft_labels.unlabelled.threshold=0.7", "student",
         "soft_labels.unlabelled.threshold: 0.0 -> 0.7"),
        ("imported", "soft_labels.imported.rte={other store}", "soft_labels/rte",
         "imported train: "),
    ],
)  # fmt: skip
def test_status_names_the_very_key(
    made_up_runs: dict[str, MadeUp],
    files: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    override: str,
    place: str,
    why: str,
) -> None:
    made = made_up_runs[name]
    overrides = filled([*made.overrides, override], files)
    arguments = [str(made.recipe), *overrides, "--run-dir", str(made.run.folder), "--json"]
    assert code_of(monkeypatch, "status", *arguments) == 0
    said = {s["artefact"]: s for parts in json.loads(capsys.readouterr().out).values()
            for s in parts}  # fmt: skip
    assert said[place]["state"] == "stale"
    assert said[place]["why"].startswith(why)


@pytest.mark.parametrize(
    ("name", "override", "where"),
    [
        ("paper", "training={epochs: 1, batch_size: 16, learning_rate: 0.001, precision: fp32, "
                  "log_every: 7, save_every: 3 steps, trackers: [tensorboard], accumulation: 2, "
                  "gradient_checkpointing: true, task_weights: {rte: 1.0}}", ""),
        ("paper", "data.max_rows.train=null", ""),
        ("unrefined", "training.task_weights={cola: 2.0, mnli: 0.5}", "teachers/cased-0.1/rte"),
        ("unrefined", "training.sampling.strategy=sqrt", "teachers/"),
        ("imported", "soft_labels.imported.rte={copied store}", ""),
        ("folds", "soft_labels.unlabelled.files.rte={copied pairs}", ""),
        ("folds", "data.max_rows.train=20", "prepared_unlabelled/"),
        ("folds", "soft_labels.calibrate=true", "soft_labels/stsb"),
    ],
)  # fmt: skip
def test_what_does_not_matter_reruns_nothing(
    made_up_runs: dict[str, MadeUp], files: dict[str, str], name: str, override: str, where: str
) -> None:
    again = stale(made_up_runs[name].changed(*filled([override], files)))
    assert [place for place in again if place.startswith(where)] == []


def test_a_candidates_dropout_reruns_that_candidate_and_what_follows(
    made_up_runs: dict[str, MadeUp],
) -> None:
    again = stale(made_up_runs["paper"].changed("teachers.candidates.1.dropout=0.2"))
    of_others = ("uncased-0.1", "cased-0.1", "baseline", "prepared")
    assert [place for place in again if any(other in place.split("/") for other in of_others)] == []
    assert {"refined/uncased-0.3", "selection.json", "teachers/uncased-0.3/rte", "soft_labels/rte",
            "student", "submission.zip"} <= set(again)  # fmt: skip
    assert "baseline" not in again
