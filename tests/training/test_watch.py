"""A head that nothing moves is said to, by name; a training in which none moves fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from mtkd.errors import RecipeError, RunFailed
from mtkd.model import MultiTaskModel
from mtkd.training.watch import head_prints
from tests.training.small import EPOCHS, Killed, Small, after_step, killed


def freeze(model: MultiTaskModel, task: str) -> None:
    """As a weight that was forgotten when the optimiser was made."""
    model.heads[task].requires_grad_(False)


def cut_off(model: MultiTaskModel, task: str) -> None:
    """As a loss that does not depend on the head; weight decay moves its matrix all the same."""
    for parameter in model.heads[task].parameters():
        parameter.register_hook(lambda gradient: gradient * 0)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        r.getMessage()
        for r in caplog.records
        if r.levelno == logging.WARNING and r.name.startswith("mtkd")
    ]


@pytest.mark.parametrize("hold", [freeze, cut_off])
@pytest.mark.parametrize("optimizer", ["adamax", "adamw"])
def test_a_head_that_stays_is_named_after_the_first_epoch_and_at_the_end(
    small: Small,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    hold: Callable[[MultiTaskModel, str], None],
    optimizer: str,
) -> None:
    model = small.model(small.tasks())
    hold(model, "stsb")
    small.fit(tmp_path, model=model, optimizer=optimizer, weight_decay=0.1)
    first, last = warnings(caplog)
    assert first.startswith("student: the head of stsb is as it was at the start, after 3 updates "
                            "with training.learning_rate=0.001")  # fmt: skip
    assert f"after {3 * EPOCHS} updates" in last
    assert "rte" not in first + last


def test_a_head_that_stays_is_named_once_where_there_is_one_epoch(
    small: Small, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = small.model(small.tasks())
    freeze(model, "stsb")
    small.fit(tmp_path, model=model, epochs=1)
    assert len(warnings(caplog)) == 1


@pytest.mark.parametrize("hold", [freeze, cut_off])
def test_a_training_in_which_no_head_moves_fails_after_its_first_epoch(
    small: Small, tmp_path: Path, hold: Callable[[MultiTaskModel, str], None]
) -> None:
    model = small.model(small.tasks())
    for task in model.heads:
        hold(model, task)
    with pytest.raises(RunFailed, match=r"after 7 updates no head has moved \(rte, stsb\)") as e:
        small.fit(tmp_path, model=model)
    assert e.value.exit_code == 1
    assert '"dev"' not in (tmp_path / "log.jsonl").read_text("utf-8")


def test_a_run_that_goes_on_compares_with_its_first_start(small: Small, tmp_path: Path) -> None:
    start = head_prints(small.model(small.tasks()))
    with after_step(6, killed), pytest.raises(Killed):
        small.fit(tmp_path, save_every="2 steps")
    _, progress = small.fit(tmp_path)
    assert progress.heads == start
    assert progress.updates == {"rte": 4 * EPOCHS, "stsb": 3 * EPOCHS}


def test_heads_that_learn_are_not_spoken_of(
    small: Small, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = [small.task(name) for name in small.splits]
    small.fit(tmp_path, tasks=tasks, learning_rate=1e-7, save_every="1 step")
    assert warnings(caplog) == []


def test_a_weight_of_0_explains_a_head_that_stays(
    small: Small, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    small.fit(tmp_path, epochs=1, task_weights={"stsb": 0.0})
    assert "the head of stsb learns nothing, as training.task_weights.stsb is 0" in caplog.text
    assert warnings(caplog) == []


@pytest.mark.parametrize("names", [("stsb",), ("rte", "stsb")])
def test_a_training_in_which_every_task_weighs_0_is_refused(
    small: Small, tmp_path: Path, names: tuple[str, ...]
) -> None:
    """As a teacher of one task, where a weight of 0 was meant for the student."""
    with pytest.raises(RecipeError, match=rf"task_weights: {', '.join(names)} are all.*weigh 0"):
        small.fit(tmp_path, tasks=[small.task(name) for name in names],
                  task_weights=dict.fromkeys(names, 0.0))  # fmt: skip
    assert not (tmp_path / "log.jsonl").exists()
