"""A training of so many updates ends with the last of them, within an epoch or after several."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtkd.errors import Interrupted
from mtkd.recipe import TrainingOverrides, TrainingSettings, with_overrides
from tests.training.small import STEPS_PER_EPOCH, Small, after_step, same, terminate, weights


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("steps", [1, 3, STEPS_PER_EPOCH, STEPS_PER_EPOCH + 2, 4 * STEPS_PER_EPOCH])
def test_it_makes_that_many_updates_and_is_scored_at_its_end(
    small: Small, tmp_path: Path, steps: int
) -> None:
    _, progress = small.fit(tmp_path, max_steps=steps, epochs=2, log_every=1)
    assert progress.step == progress.steps == steps
    updates = [line for line in lines(tmp_path) if "dev" not in line]
    assert [line["step"] for line in updates] == list(range(1, steps + 1))
    assert progress.history[-1]["step"] == steps
    assert len(progress.history) == -(-steps // STEPS_PER_EPOCH)
    assert sum(progress.updates.values()) == steps


def test_the_rate_falls_to_its_end_with_the_last_update(small: Small, tmp_path: Path) -> None:
    """Warmed up over a tenth of the updates, and 0 after the last, whatever `epochs` says."""
    small.fit(tmp_path, max_steps=10, epochs=100, warmup=0.1, log_every=1)
    rates = [line["lr"] for line in lines(tmp_path) if "dev" not in line]
    assert rates[-1] == pytest.approx(1e-3 / 9)
    assert max(rates) == pytest.approx(1e-3)


def test_its_updates_are_those_of_a_training_by_epochs(small: Small, tmp_path: Path) -> None:
    by_steps, _ = small.fit(tmp_path / "a", max_steps=2 * STEPS_PER_EPOCH, epochs=1)
    by_epochs, _ = small.fit(tmp_path / "b", epochs=2)
    assert same(weights(by_steps), weights(by_epochs))


@pytest.mark.parametrize(
    "stop", [2, STEPS_PER_EPOCH, STEPS_PER_EPOCH + 1, STEPS_PER_EPOCH + 3]
)  # the last: before it is scored
def test_a_stopped_one_goes_on_to_the_same_end(small: Small, tmp_path: Path, stop: int) -> None:
    steps = STEPS_PER_EPOCH + 3
    whole, as_it_was = small.fit(tmp_path / "whole", max_steps=steps)
    with after_step(stop, terminate), pytest.raises(Interrupted, match=f"of {steps}"):
        small.fit(tmp_path / "stopped", max_steps=steps)
    again, progress = small.fit(tmp_path / "stopped", max_steps=steps)
    assert progress.step == steps
    assert progress.history == as_it_was.history
    assert same(weights(whole), weights(again))
    _, progress = small.fit(tmp_path / "stopped", max_steps=steps)
    assert progress.step == steps


def test_epochs_given_for_a_part_count_before_the_updates_of_the_whole() -> None:
    base = TrainingSettings(max_steps=100)
    assert with_overrides(base, TrainingOverrides(epochs=2)).max_steps is None
    assert with_overrides(base, TrainingOverrides(epochs=2, max_steps=7)).max_steps == 7
    assert with_overrides(base, TrainingOverrides(max_steps=None)).max_steps is None
    assert with_overrides(base, TrainingOverrides(learning_rate=1e-3)).max_steps == 100
