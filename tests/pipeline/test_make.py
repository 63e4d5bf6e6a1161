"""The whole pipeline on tiny encoders: contracts of the run directory, order, staleness, resume."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import logging
import os
import shutil
import time
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors import SafetensorError

from mtkd.artifacts import read_manifest
from mtkd.errors import (
    DataError,
    EncoderError,
    Interrupted,
    RecipeError,
    RunDirError,
    RunFailed,
    StoreError,
)
from mtkd.pipeline import carry_out, open_run, statuses
from mtkd.pipeline.status import unit_status
from mtkd.recipe import load_recipe
from mtkd.soft_labels import read_batches, read_info, write_store
from mtkd.stages import STAGES, Run
from tests.carry_out import carried_out, one_thread_more, sign
from tests.training.small import after_step, terminate

ONE_TASK = ("tasks=[rte]", "teachers.tasks=[rte]", "teachers.select.by=[rte]")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def copied_run(finished_run: Run, tmp_path: Path) -> Run:
    folder = tmp_path / "tiny"
    shutil.copytree(finished_run.folder, folder)
    return Run(finished_run.recipe, finished_run.tasks, folder)


def states(run: Run) -> dict[str, str]:
    return {s.unit.place: s.state for parts in statuses(run).values() for s in parts}


def reopened(run: Run, recipe: Path, *overrides: str) -> Run:
    return open_run(load_recipe(str(recipe), overrides), run.folder)


def test_the_run_directory_has_the_places_of_the_contract(finished_run: Run) -> None:
    kept = json.loads((finished_run.folder / "selection.json").read_text())["kept"]
    places = [
        "recipe.yaml",
        "refined/cased-0.1/model.safetensors",
        f"teachers/{kept[0]}/rte/config.json",
        f"teachers/{kept[0]}/rte/metrics.json",
        "soft_labels/rte/train.parquet",
        "soft_labels/stsb/dev.parquet",
        "student/model.safetensors",
        "student/manifest.json",
        "baseline/metrics.json",
        "student_finetuned/cola/model.safetensors",
        "predictions/student/rte/test.parquet",
        "predictions/student_finetuned/ax/test.parquet",
        "evaluation/metrics.json",
        "evaluation/table.md",
        "submission/RTE.tsv",
        "submission.zip",
    ]
    assert [p for p in places if not (finished_run.folder / p).is_file()] == []
    assert not (finished_run.folder / "student" / "checkpoint").exists()


def test_the_submission_holds_every_task_with_a_test_file(finished_run: Run) -> None:
    with zipfile.ZipFile(finished_run.folder / "submission.zip") as archive:
        names = set(archive.namelist())
    expected = {"RTE.tsv", "STS-B.tsv", "CoLA.tsv", "MNLI-m.tsv", "MNLI-mm.tsv", "AX.tsv"}
    assert names == expected


def test_cased_and_uncased_teachers_meet_by_guid(finished_run: Run) -> None:
    store = pd.read_parquet(finished_run.folder / "soft_labels" / "rte" / "train.parquet")
    assert list(store["guid"]) == [f"rte/train/{i}" for i in range(48)]
    assert len(store["logits"][0]) == 2  # teachers


def test_stages_one_by_one_give_the_same_student_as_run(
    finished_run: Run, tiny_recipe: Path, tmp_path: Path
) -> None:
    for stage in ("prepare", "refine", "select", "teach", "soften", "distill"):
        run = carried_out(tiny_recipe, tmp_path / "tiny", last=stage)
    for model in ("student", "baseline", "student_finetuned/rte"):
        place = f"{model}/model.safetensors"
        assert sha256(run.folder / place) == sha256(finished_run.folder / place)


def test_two_runs_write_the_same_bytes(
    finished_run: Run, tiny_recipe: Path, tmp_path: Path
) -> None:
    again = carried_out(tiny_recipe, tmp_path / "tiny")
    for pattern in ("**/*.parquet", "**/*.safetensors", "**/*.tsv", "**/*.zip", "**/log.jsonl"):
        for path in finished_run.folder.glob(pattern):
            place = path.relative_to(finished_run.folder)
            assert sha256(again.folder / place) == sha256(path), place


def test_a_finished_run_is_not_done_again(
    copied_run: Run, tiny_recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("something was made again")

    monkeypatch.setattr("mtkd.pipeline.make._Maker._make", refuse)
    carried_out(tiny_recipe, copied_run.folder)


def test_the_students_rate_makes_only_student_and_what_follows_stale(
    copied_run: Run, tiny_recipe: Path
) -> None:
    changed = reopened(copied_run, tiny_recipe, "student.training.learning_rate=0.002")
    found = states(changed)
    stale = {place for place, state in found.items() if state == "stale"}
    before = ("prepared/", "refined/", "teachers/", "soft_labels/", "selection.json")
    assert not [place for place in stale if place.startswith(before)]
    assert {"student", "baseline", "student_finetuned/rte", "evaluation", "submission.zip"} <= stale
    (student,) = [s for s in statuses(changed)["distill"] if s.unit.place == "student"]
    assert student.why == "training.learning_rate: 0.001 -> 0.002"


@pytest.mark.parametrize(
    "override", ["training.log_every=3", "training.save_every=7 steps", "description=other"]
)
def test_settings_without_effect_make_nothing_stale(
    copied_run: Run, tiny_recipe: Path, override: str
) -> None:
    assert set(states(reopened(copied_run, tiny_recipe, override)).values()) == {"done"}


def test_another_temperature_runs_no_teacher_again(copied_run: Run, tiny_recipe: Path) -> None:
    found = states(reopened(copied_run, tiny_recipe, "soft_labels.temperature=2"))
    stale = {place for place, state in found.items() if state == "stale"}
    assert {"soft_labels/rte", "student"} <= stale
    assert not [place for place in stale if place.startswith(("teachers/", "predictions/cased"))]


def test_a_raised_code_version_makes_an_artefact_stale(copied_run: Run) -> None:
    unit = STAGES["evaluate"](copied_run)[-1]
    status = unit_status(copied_run, dataclasses.replace(unit, version=2))
    assert (status.state, status.why) == ("stale", "code version: 1 -> 2")


def test_changed_rows_make_the_task_stale_by_name(
    tiny_recipe: Path, copied_run: Run, tiny_glue: Path, tmp_path: Path
) -> None:
    glue = tmp_path / "glue"
    shutil.copytree(tiny_glue, glue)
    file = glue / "RTE" / "train.tsv"
    file.write_text(file.read_text().replace("entailment\n1\t", "not_entailment\n1\t", 1))
    changed = reopened(copied_run, tiny_recipe, f"data.root={glue}")
    prepared = {s.unit.place.split("/")[-1]: s for s in statuses(changed)["prepare"]}
    assert "file train" in prepared["rte"].why
    assert prepared["cola"].state == "done"


def test_a_dear_stale_stage_needs_rerun(copied_run: Run, tiny_recipe: Path) -> None:
    sign(copied_run.folder / "student", seconds=700.0)
    before = sha256(copied_run.folder / "student" / "model.safetensors")
    loaded = load_recipe(str(tiny_recipe), ["student.training.learning_rate=0.002"])
    run = open_run(loaded, copied_run.folder)
    with pytest.raises(RunDirError, match=r"learning_rate: 0.001 -> 0.002.*--rerun"):
        carry_out(run, loaded, "distill")
    assert sha256(run.folder / "student" / "model.safetensors") == before
    carry_out(run, loaded, "distill", rerun=True)
    assert sha256(run.folder / "student" / "model.safetensors") != before


def test_a_cache_shares_finished_artefacts_between_runs(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_recipe(str(tiny_recipe), ["tasks=[rte,stsb]", "teachers.select.by=[rte]"])
    first = open_run(loaded, tmp_path / "first")
    carry_out(first, loaded, "submit", cache=tmp_path / "cache")
    monkeypatch.setattr("mtkd.stages.fitting.train", None)  # nothing may be trained
    second = open_run(loaded, tmp_path / "second")
    carry_out(second, loaded, "submit", cache=tmp_path / "cache")
    assert set(states(second).values()) == {"done"}
    place = "submission.zip"
    assert sha256(first.folder / place) == sha256(second.folder / place)


def test_what_a_killed_command_had_not_shared_yet_is_shared_by_the_next(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_recipe(str(tiny_recipe), ["tasks=[rte]", "teachers.select.by=[rte]"])
    run = open_run(loaded, tmp_path / "run")
    cache = tmp_path / "cache"

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("mtkd.pipeline.cache.flush_all", killed)
        with pytest.raises(KeyboardInterrupt):
            carry_out(run, loaded, "prepare", cache=cache)
    (left,) = (path for path in cache.rglob(".*") if path.is_dir())
    os.utime(left, (0, 0))  # as one that is not at work any more
    carry_out(run, loaded, "prepare", cache=cache)
    shared = {path.name for path in cache.rglob("*") if path.is_dir()}
    assert left.name not in shared
    assert left.name.split(".")[1] in shared


@pytest.mark.parametrize("name", [".recipe.yaml.partial", "..hashes.json.partial"])
def test_a_directory_that_a_killed_command_had_just_begun_is_gone_on_with(
    tiny_recipe: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / name).write_text("name: ti")
    assert open_run(load_recipe(str(tiny_recipe)), folder).folder == folder


def test_the_cache_keeps_candidates_apart_that_differ_only_by_name(
    tiny_recipe: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    candidates = [f"{{name: {name}, encoder: '{tiny_encoder}'}}" for name in "ab"]
    loaded = load_recipe(
        str(tiny_recipe),
        [f"teachers.candidates=[{','.join(candidates)}]", "teachers.refine=false", "tasks=[rte]",
         "teachers.tasks=[rte]", "teachers.select.by=[]"],
    )  # fmt: skip
    run = open_run(loaded, tmp_path / "run")
    carry_out(run, loaded, "teach", cache=tmp_path / "cache")
    weights = [sha256(run.folder / f"teachers/{name}/rte/model.safetensors") for name in "ab"]
    assert weights[0] != weights[1]


def test_the_cache_keeps_student_and_baseline_apart(tiny_recipe: Path, tmp_path: Path) -> None:
    text = tiny_recipe.read_text()
    start, end = text.index("teachers:"), text.index("student:")
    plain = tmp_path / "plain.yaml"
    plain.write_text((text[:start] + text[end:]).replace("name: tiny", "name: plain"))
    loaded = load_recipe(str(plain), ["tasks=[rte]", "student.finetune=false"])
    run = open_run(loaded, tmp_path / "run")
    carry_out(run, loaded, "distill", cache=tmp_path / "cache")
    assert (run.folder / "baseline" / "model.safetensors").is_file()


def test_soft_labels_of_other_rows_are_not_scored(copied_run: Run, tiny_recipe: Path) -> None:
    path = copied_run.folder / "soft_labels" / "rte" / "dev.parquet"
    (batch,) = read_batches(path)
    guids = [f"{guid}x" for guid in batch.guids.to_pylist()]
    write_store(path, read_info(path), guids, batch.gold, batch.logits)
    sign(path.parent)
    shutil.rmtree(copied_run.folder / "evaluation")
    with pytest.raises(StoreError, match="no soft label for 24 rows"):
        carried_out(tiny_recipe, copied_run.folder)


def test_soft_labels_that_were_edited_by_hand_are_not_used(
    copied_run: Run, tiny_recipe: Path
) -> None:
    path = copied_run.folder / "soft_labels" / "rte" / "train.parquet"
    table = pq.read_table(path)
    rows = table.to_pandas()
    rows["probs"] = rows["probs"].sample(frac=1, random_state=0).to_list()
    pq.write_table(pa.Table.from_pandas(rows, schema=table.schema, preserve_index=False), path)
    sign(path.parent)
    shutil.rmtree(copied_run.folder / "student")
    with pytest.raises(StoreError, match="not as it was written"):
        carried_out(tiny_recipe, copied_run.folder)


def test_an_encoders_config_makes_what_comes_from_it_stale(
    copied_run: Run, tiny_recipe: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    other = tmp_path / Path(tiny_encoder).name
    shutil.copytree(tiny_encoder, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "hidden_act": "relu"}))
    found = states(reopened(copied_run, tiny_recipe, f"student.encoder={other}"))
    assert found["student"] == "stale"
    assert found["refined/uncased-0.1"] == "done"


def test_an_override_in_error_leaves_the_recipe_of_the_run(
    copied_run: Run, tiny_recipe: Path
) -> None:
    before = (copied_run.folder / "recipe.yaml").read_bytes()
    with pytest.raises(DataError, match="cannot be computed"):
        carried_out(tiny_recipe, copied_run.folder, "data.max_rows.dev=1")
    assert (copied_run.folder / "recipe.yaml").read_bytes() == before
    assert not (copied_run.folder / ".partial").exists()


def test_after_hours_of_training_the_recipe_stays_that_of_what_was_made(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="prepare")

    def fails(*_: object, **__: object) -> None:
        raise RecipeError("does not fit")

    with monkeypatch.context() as patched:
        patched.setattr("mtkd.stages.select._build", fails)
        with pytest.raises(RecipeError):
            carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, "training.learning_rate=2e-3")
    assert load_recipe(str(tmp_path / "run")).training.learning_rate == 2e-3


def test_a_manifest_says_that_all_it_names_is_on_the_disk(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[Path] = []
    fsync = os.fsync

    def flushed(descriptor: int) -> None:
        order.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", flushed)
    carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="refine")
    manifests = [n for n, path in enumerate(order) if path.name == ".manifest.json.partial"]
    assert len(manifests) == 2 + 1 + 3  # rows for two encoders, test rows, three candidates
    for number in manifests:
        staged = order[number].parent
        place = tmp_path / "run" / staged.relative_to(tmp_path / "run" / ".partial")
        manifest = read_manifest(place)
        assert manifest is not None
        assert {staged / name for name in manifest.files} <= set(order[:number])


def test_other_conditions_than_those_of_what_it_is_made_from_are_named_once(
    tiny_recipe: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="prepare")
    with one_thread_more() as change, caplog.at_level(logging.WARNING):
        carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="refine")
    said = [line for line in caplog.messages if "under other conditions" in line]
    assert len(said) == 1
    assert change in said[0]


def test_a_disk_that_fills_up_under_safetensors_is_named(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise SafetensorError('Io(Os { code: 28, message: "No space left on device" }) os error 28')

    monkeypatch.setattr("mtkd.model.save_file", full)
    with pytest.raises(RunFailed, match="disk is full"):
        carried_out(tiny_recipe, tmp_path / "tiny", "tasks=[rte]", "teachers.tasks=[rte]",
                    "teachers.select.by=[rte]", last="refine")  # fmt: skip


def test_the_time_of_an_interrupted_attempt_counts(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = ("tasks=[rte]", "teachers.tasks=[rte]", "teachers.select.by=[rte]")

    def slow(*_: object, **__: object) -> None:
        time.sleep(0.7)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("mtkd.stages.fitting.build_model", slow)
        with pytest.raises(KeyboardInterrupt):
            carried_out(tiny_recipe, tmp_path / "tiny", *overrides, last="refine")
    run = carried_out(tiny_recipe, tmp_path / "tiny", *overrides, last="refine")
    manifest = read_manifest(run.folder / "refined" / "uncased-0.1")
    assert manifest is not None
    assert manifest.seconds > 0.7


def test_a_refusal_at_resume_leaves_the_checkpoint(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when another program has taken the memory by then."""
    overrides = ("tasks=[rte]", "teachers.tasks=[rte]", "teachers.select.by=[rte]")
    where = "mtkd.training.memory.plan.available_memory"
    with after_step(2, terminate), pytest.raises(Interrupted):
        carried_out(tiny_recipe, tmp_path / "tiny", *overrides, last="refine")
    (checkpoint,) = (tmp_path / "tiny").rglob("checkpoint")
    with monkeypatch.context() as patched:
        patched.setattr(where, lambda *_: 1000)
        with pytest.raises(RecipeError, match="available"):
            carried_out(tiny_recipe, tmp_path / "tiny", *overrides, last="refine")
    assert json.loads((checkpoint / "state.json").read_text())["step"] == 2
    run = carried_out(tiny_recipe, tmp_path / "tiny", *overrides, last="refine")
    assert read_manifest(run.folder / "refined" / "uncased-0.1") is not None


def test_a_refusal_before_the_first_step_leaves_nothing(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtkd.training.memory.plan.available_memory", lambda *_: 1000)
    with pytest.raises(RecipeError, match=r"training\.batch_size=\d+: the longest batch"):
        carried_out(tiny_recipe, tmp_path / "tiny", "tasks=[rte]", "teachers.tasks=[rte]",
                    "teachers.select.by=[rte]", last="refine")  # fmt: skip
    assert not list((tmp_path / "tiny").rglob("*refined*"))


def test_a_directory_of_another_recipe_is_refused(copied_run: Run, tiny_recipe: Path) -> None:
    with pytest.raises(RunDirError, match="holds a run of tiny"):
        reopened(copied_run, tiny_recipe, "name=other")


def test_a_directory_that_is_no_run_is_refused(tiny_recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(RunDirError, match="not a run directory"):
        open_run(load_recipe(str(tiny_recipe)), tmp_path)


def test_a_full_disk_ends_the_run_resumable(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("mtkd.pipeline.make.publish", full)
        with pytest.raises(RunFailed, match="disk is full") as caught:
            carried_out(tiny_recipe, tmp_path / "tiny", last="prepare")
    assert caught.value.exit_code == 1
    run = carried_out(tiny_recipe, tmp_path / "tiny", last="prepare")
    assert {s.state for s in statuses(run)["prepare"]} == {"done"}


def test_unrefined_candidates_are_compared_on_the_tasks_of_select_by_only(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    overrides = ["teachers.refine=false", "teachers.select.by=[cola]", "teachers.tasks=[stsb]"]
    run = carried_out(tiny_recipe, tmp_path / "tiny", *overrides, last="teach")
    trained = {
        str(p.parent.relative_to(run.folder)) for p in run.folder.glob("teachers/*/*/*.jsonl")
    }
    selection = json.loads((run.folder / "selection.json").read_text())
    assert trained == {
        f"teachers/{c}/cola" for c in ("uncased-0.1", "uncased-0.3", "cased-0.1")
    } | {f"teachers/{c}/stsb" for c in selection["kept"]}
    best = sorted(selection["candidates"], key=lambda c: -c["scores"]["cola"])[:2]
    assert {c["name"] for c in best} == set(selection["kept"])
    assert not (run.folder / "refined").exists()


def test_without_teachers_their_stages_are_skipped(tiny_recipe: Path, tmp_path: Path) -> None:
    text = tiny_recipe.read_text()
    start, end = text.index("teachers:"), text.index("student:")
    plain = tmp_path / "plain.yaml"
    plain.write_text((text[:start] + text[end:]).replace("name: tiny", "name: plain"))
    run = carried_out(plain, tmp_path / "run", "tasks=[rte,cola]")
    for stage in ("refine", "select", "teach", "soften"):
        assert STAGES[stage](run) == []
    table = (run.folder / "evaluation" / "table.md").read_text()
    assert "ensemble" not in table
    assert "student_finetuned" in table


def test_a_missing_test_file_makes_a_partial_submission(
    tiny_recipe: Path, tiny_glue: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    glue = tmp_path / "glue"
    shutil.copytree(tiny_glue, glue)
    (glue / "CoLA" / "test.tsv").unlink()
    run = carried_out(
        tiny_recipe, tmp_path / "run", f"data.root={glue}", "tasks=[rte,cola]",
        "teachers.tasks=[rte]", "teachers.select.by=[rte]", "student.finetune=false",
    )  # fmt: skip
    assert {p.name for p in (run.folder / "submission").glob("*.tsv")} == {"RTE.tsv"}
    assert "cola/test: no file" in caplog.text


def test_predictions_follow_the_index_of_the_test_file(finished_run: Run) -> None:
    lines = (finished_run.folder / "submission" / "RTE.tsv").read_text().splitlines()
    assert lines[0] == "index\tprediction"
    assert [line.split("\t")[0] for line in lines[1:]] == [str(i) for i in range(16)]
    assert {line.split("\t")[1] for line in lines[1:]} <= {"entailment", "not_entailment"}


def test_a_head_with_another_label_order_is_refused(copied_run: Run, tiny_recipe: Path) -> None:
    config = copied_run.folder / "student_finetuned" / "rte" / "config.json"
    content = json.loads(config.read_text())
    content["mtkd"]["heads"]["rte"]["labels"].reverse()
    config.write_text(json.dumps(content))
    sign(config.parent)
    shutil.rmtree(copied_run.folder / "predictions" / "student_finetuned" / "rte")
    with pytest.raises(EncoderError, match="has labels"):
        carried_out(tiny_recipe, copied_run.folder)


def test_the_reason_names_the_users_keys_first_and_says_what_is_left_out(
    copied_run: Run, tiny_recipe: Path
) -> None:
    changed = reopened(copied_run, tiny_recipe, "tasks=[rte,stsb]", "teachers.select.by=[rte]",
                       "student.distill_weight=1")  # fmt: skip
    (student,) = [s for s in statuses(changed)["distill"] if s.unit.place == "student"]
    assert student.why.startswith("student.distill_weight: 0.5 -> 1.0; ")
    assert student.why.endswith("more")
    (rte,) = [s for s in statuses(changed)["distill"] if s.unit.place == "student_finetuned/rte"]
    assert rte.state == "stale"
