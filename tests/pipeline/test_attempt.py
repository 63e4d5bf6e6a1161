"""What a stopped command leaves is gone on with, and swept up in the end."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from mtkd.errors import Interrupted
from mtkd.pipeline.attempt import Attempt, sweep
from tests.carry_out import carried_out
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
    real = make._build

    def build(run: object, unit: object, *rest: object) -> object:
        trained.append(unit.place)  # type: ignore[attr-defined]
        return real(run, unit, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(make, "_build", build)
    carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="refine")
    assert "refined/uncased-0.1" not in trained
    assert trained == ["refined/uncased-0.3", "refined/cased-0.1"]
    assert files(tmp_path / "run") == files(whole.folder)


def test_other_conditions_are_named_at_a_resume(
    tiny_recipe: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with after_step(2, terminate), pytest.raises(Interrupted):
        carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="refine")
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        with caplog.at_level(logging.WARNING):
            carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="refine")
    finally:
        torch.set_num_threads(threads)
    assert "goes on under other conditions" in caplog.text
    assert f"threads {threads} -> {threads + 1}" in caplog.text


def test_the_same_conditions_are_not_worth_a_word(
    tiny_recipe: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with after_step(2, terminate), pytest.raises(Interrupted):
        carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="refine")
    carried_out(tiny_recipe, tmp_path / "run", *ONE_TASK, last="refine")
    assert "conditions" not in caplog.text


def test_an_attempt_at_something_else_is_cleared(tmp_path: Path) -> None:
    first = Attempt(tmp_path, "student", is_file=False)
    first.begin("a" * 64)
    (first.staged / "half").write_text("x")
    again = Attempt(tmp_path, "student", is_file=False)
    again.begin("a" * 64)
    assert (again.staged / "half").is_file()
    other = Attempt(tmp_path, "student", is_file=False)
    other.begin("b" * 64)
    assert list(other.staged.iterdir()) == []


@pytest.mark.parametrize("mark", ["", "{", "[]", '{"fingerprint": "a"}'])
def test_an_attempt_whose_mark_is_broken_is_cleared(tmp_path: Path, mark: str) -> None:
    attempt = Attempt(tmp_path, "student", is_file=False)
    attempt.begin("a" * 64)
    (attempt.staged / "half").write_text("x")
    (tmp_path / ".partial" / "student.attempt.json").write_text(mark)
    attempt.begin("a" * 64)
    assert list(attempt.staged.iterdir()) == []
    attempt.clear_away()
    assert list(tmp_path.iterdir()) == []


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
