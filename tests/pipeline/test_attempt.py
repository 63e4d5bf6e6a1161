"""What a stopped command leaves is gone on with, and swept up in the end."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import shutil
import time
from pathlib import Path

import pytest

from mtkd.artifacts import Manifest, record_files
from mtkd.errors import Interrupted, RunDirError
from mtkd.pipeline import open_run, statuses
from mtkd.pipeline.attempt import Attempt, sweep
from mtkd.recipe import load_recipe
from tests.carry_out import carried_out, one_thread_more
from tests.training.small import after_step, terminate

ONE_TASK = ("tasks=[rte]", "teachers.tasks=[rte]", "teachers.select.by=[rte]")


def files(folder: Path) -> dict[str, bytes]:
    skip = {"manifest.json", "selection.manifest.json", ".hashes.json"}  # with times, or of times
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in skip
    }


@pytest.mark.parametrize("moment", ["before publishing", "after publishing"])
def test_a_training_that_ended_is_not_done_again(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """A process killed when all was trained, but not yet or just now in place."""
    from mtkd.pipeline import make

    whole = carried_out(tiny_recipe, tmp_path / "whole", *ONE_TASK, last="refine")
    publish = make.publish

    def killed(staged: Path, place: Path) -> None:
        if staged.name == "uncased-0.1":
            if moment == "after publishing":
                publish(staged, place)
            raise KeyboardInterrupt
        publish(staged, place)

    with monkeypatch.context() as patched:
        patched.setattr(make, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="refine")
    trained: list[str] = []
    real = make._Maker._build

    def build(maker: object, unit: object, *rest: object) -> object:
        trained.append(unit.place)  # type: ignore[attr-defined]
        return real(maker, unit, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(make._Maker, "_build", build)
    carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="refine")
    assert "refined/uncased-0.1" not in trained
    assert trained == ["refined/uncased-0.3", "refined/cased-0.1"]
    assert files(tmp_path / "run") == files(whole.folder)


def test_other_conditions_are_named_at_a_resume(
    tiny_recipe: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with after_step(2, terminate), pytest.raises(Interrupted):
        carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="refine")
    with one_thread_more() as change, caplog.at_level(logging.WARNING):
        carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="refine")
    assert "goes on under other conditions" in caplog.text
    assert change in caplog.text


def test_status_says_how_far_a_stopped_training_came(tiny_recipe: Path, tmp_path: Path) -> None:
    with after_step(2, terminate), pytest.raises(Interrupted):
        carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="refine")
    for more, why in (
        ((), "saved after 2 steps"),
        (("training.learning_rate=0.002",),
         "saved after 2 steps, for other settings: training.learning_rate: 0.001 -> 0.002"),
    ):  # fmt: skip
        recipe = load_recipe(str(tiny_recipe), [*ONE_TASK, *more])
        found = statuses(open_run(recipe, tmp_path / "run"))["refine"]
        first, second = found[:2]
        assert (first.state, first.why) == ("missing", why)
        assert (second.state, second.why) == ("missing", "")


def test_the_same_conditions_are_not_worth_a_word(
    tiny_recipe: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with after_step(2, terminate), pytest.raises(Interrupted):
        carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="refine")
    carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="refine")
    assert "conditions" not in caplog.text


def manifest(**inputs: object) -> Manifest:
    return Manifest("distill", inputs, 0.0, 0, {}, {})


def attempt_at(folder: Path) -> Attempt:
    return Attempt(folder, "student", is_file=False, scratch=("checkpoint",))


def stopped(folder: Path, minutes: float, **inputs: object) -> Attempt:
    """Return an attempt that was killed after some minutes, after its first save."""
    attempt = attempt_at(folder)
    attempt.begin(manifest(**inputs), dear=600)
    (attempt.staged / "checkpoint").mkdir()
    then = time.time() - 60 * minutes
    os.utime(attempt.staged.with_name("student.attempt.json"), (then, then))
    return attempt


def test_an_attempt_at_something_else_is_cleared(tmp_path: Path) -> None:
    first = attempt_at(tmp_path)
    first.begin(manifest(rate=1), dear=600)
    (first.staged / "half").write_text("x")
    again = attempt_at(tmp_path)
    again.begin(manifest(rate=1), dear=600)
    assert (again.staged / "half").is_file()
    other = attempt_at(tmp_path)
    other.begin(manifest(rate=2), dear=600)
    assert list(other.staged.iterdir()) == []


def test_hours_of_a_stopped_training_are_not_thrown_away_for_another_setting(
    tmp_path: Path,
) -> None:
    stopped(tmp_path, 90, rate=1, seed=3)
    with pytest.raises(RunDirError, match=r"student: .* 90 minutes .*rate: 1 -> 2.*--rerun"):
        attempt_at(tmp_path).begin(manifest(rate=2, seed=3), dear=600)
    again = attempt_at(tmp_path)
    again.begin(manifest(rate=1, seed=3), dear=600)
    assert (again.staged / "checkpoint").is_dir()
    assert again.seconds == pytest.approx(90 * 60, abs=60)  # those of the killed process count
    attempt_at(tmp_path).begin(manifest(rate=2, seed=3), dear=math.inf)
    assert not (again.staged / "checkpoint").exists()


def test_what_is_thrown_away_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stopped(tmp_path, 2, rate=1)
    attempt_at(tmp_path).begin(manifest(rate=2), dear=600)
    assert "begins anew: what was stopped after 2.0 minutes was for other settings (rate: 1 -> 2)" \
        in caplog.text  # fmt: skip


@pytest.mark.parametrize(
    "mark", ["", "{", "[]", '{"fingerprint": "a"}', '{"seconds": null, "checksum": ""}']
)
def test_work_whose_mark_is_broken_is_not_thrown_away(tmp_path: Path, mark: str) -> None:
    attempt = stopped(tmp_path, 1, rate=1)
    path = tmp_path / ".partial" / "student.attempt.json"
    path.write_text(mark)
    with pytest.raises(RunDirError, match=f"{path}: is broken"):
        attempt.begin(manifest(rate=1), dear=600)
    shutil.rmtree(attempt.staged)
    attempt.begin(manifest(rate=1), dear=600)
    assert list(attempt.staged.iterdir()) == []
    attempt.clear_away()
    assert list(tmp_path.iterdir()) == []


def test_a_finished_attempt_whose_bytes_are_lost_is_not_published(tmp_path: Path) -> None:
    """As after a power cut, which leaves names without content."""
    attempt = stopped(tmp_path, 1, rate=1)
    weights = attempt.staged / "model.safetensors"
    weights.write_bytes(b"weights")
    made = dataclasses.replace(
        manifest(rate=1), files=record_files(attempt.staged, tmp_path / "student", ("checkpoint",))
    )
    made.write(attempt.staged)
    assert attempt.finished(made.fingerprint) == made
    weights.write_bytes(bytes(7))
    assert attempt.finished(made.fingerprint) is None
    assert (attempt.staged / "checkpoint").is_dir()  # to be gone on from


def test_empty_folders_of_attempts_are_swept_up_and_others_left(tmp_path: Path) -> None:
    (tmp_path / ".partial" / "teachers" / "a" / "rte").mkdir(parents=True)
    (tmp_path / ".partial" / "refined" / "b").mkdir(parents=True)
    (tmp_path / ".partial" / "refined" / "b" / "half").write_text("x")
    sweep(tmp_path)
    assert [p.name for p in (tmp_path / ".partial").iterdir()] == ["refined"]
    (tmp_path / ".partial" / "refined" / "b" / "half").unlink()
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []
    sweep(tmp_path)


def test_small_files_that_a_killed_command_had_begun_are_swept_up(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    run = carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="prepare")
    for name in (".hashes.json", "recipe.yaml"):
        (run.folder / f".{name}.partial").write_bytes(b"half")
    carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="prepare")
    assert not list(run.folder.glob(".*.partial"))
