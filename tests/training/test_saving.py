"""When a state is saved, and that no broken one takes the place of a good one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mtkd.batching import order
from mtkd.checkpoint import save_checkpoint
from mtkd.errors import Diverged, Interrupted
from mtkd.training import loop as loop_module
from mtkd.training import state as state_module
from tests.training.small import (
    EPOCHS,
    STEPS_PER_EPOCH,
    Killed,
    Small,
    after_step,
    killed,
    same,
    terminate,
    weights,
)

STEPS = EPOCHS * STEPS_PER_EPOCH


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps after which something was saved."""
    found: list[int] = []

    def noting(folder: Path, tensors: Any, state: dict[str, Any]) -> None:
        found.append(state["step"])
        save_checkpoint(folder, tensors, state)

    monkeypatch.setattr(state_module, "save_checkpoint", noting)
    return found


def poisoned_after(model: torch.nn.Module, step: int) -> Any:
    """Gradients of RTE's head are infinite in all updates after `step`, whatever the loss."""
    bad = False

    def spoil() -> None:
        nonlocal bad
        bad = True

    def grow(gradient: torch.Tensor) -> torch.Tensor:
        return gradient * math.inf if bad else gradient

    model.heads["rte"].linear.weight.register_hook(grow)
    return after_step(step, spoil)


# --- when -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [1, 3, STEPS_PER_EPOCH, STEPS])
def test_a_save_follows_every_nth_update_and_each_epoch_since(
    small: Small, tmp_path: Path, saved: list[int], every: int
) -> None:
    small.fit(tmp_path, save_every=f"{every} steps", log_every=1000)
    due = set(range(every, STEPS + 1, every))
    # an evaluation after a save is saved too: it is not to be done twice
    ends = {n for n in range(STEPS_PER_EPOCH, STEPS + 1, STEPS_PER_EPOCH) if n >= every}
    assert saved == sorted([*due, *ends])


def test_nothing_is_saved_before_the_interval_is_over(
    small: Small, tmp_path: Path, saved: list[int]
) -> None:
    small.fit(tmp_path, save_every=f"{STEPS + 1} steps")
    small.fit(tmp_path, save_every="5 minutes")
    assert saved == []


def test_minutes_are_looked_at_after_each_step_whatever_is_logged(
    small: Small, tmp_path: Path, saved: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process asks nobody, so a save does not have to wait for a log point."""
    now = 0.0
    monkeypatch.setattr(state_module, "time", SimpleNamespace(monotonic=lambda: now))

    def a_minute_passes() -> None:
        nonlocal now
        now += 60

    with after_step(3, a_minute_passes):
        small.fit(tmp_path, epochs=1, save_every="1 minute", log_every=1000)
    assert saved == [3, STEPS_PER_EPOCH]


def test_a_run_that_goes_on_saves_at_the_same_steps(
    small: Small, tmp_path: Path, saved: list[int]
) -> None:
    with after_step(5, killed), pytest.raises(Killed):
        small.fit(tmp_path, epochs=1, save_every="2 steps")
    small.fit(tmp_path, epochs=1, save_every="2 steps")
    assert saved == [2, 4, 6, STEPS_PER_EPOCH]


# --- nothing broken is saved ----------------------------------------------------------------------


def test_no_state_is_saved_after_an_infinite_gradient_and_the_one_before_is_good(
    small: Small, tmp_path: Path, saved: list[int]
) -> None:
    """Losses are read at log points alone; a save between two of them has to read them first."""
    whole, _ = small.fit(tmp_path / "whole")
    model = small.model(small.tasks())
    with (
        poisoned_after(model, STEPS_PER_EPOCH + 2),
        pytest.raises(Diverged, match=r"loss \d.*gradient norm (inf|nan).*task rte.*rte/train/"),
    ):
        small.fit(tmp_path / "run", model=model, save_every="1 step", log_every=1000)
    assert saved[-1] >= STEPS_PER_EPOCH + 2
    state = json.loads((tmp_path / "run/checkpoint/state.json").read_text("utf-8"))
    assert state["step"] == saved[-1]
    tensors = load_file(tmp_path / "run/checkpoint/tensors.safetensors")
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    resumed, progress = small.fit(tmp_path / "run")
    assert progress.step == STEPS
    assert same(weights(resumed), weights(whole))


def test_a_weight_that_breaks_without_a_loss_to_show_it_is_not_saved(
    small: Small, tmp_path: Path
) -> None:
    """The losses so far are finite, and those of other tasks stay so."""
    model = small.model(small.tasks())

    def breaks() -> None:
        with torch.no_grad():
            model.heads["stsb"].linear.bias.fill_(math.nan)

    with (
        after_step(5, breaks),
        pytest.raises(Diverged, match=r"infinite after step 5: model\.heads\.stsb\.linear\.bias\."),
    ):
        small.fit(tmp_path / "run", model=model, save_every="1 step", log_every=1000)
    state = json.loads((tmp_path / "run/checkpoint/state.json").read_text("utf-8"))
    assert state["step"] == 4


def test_a_signal_after_an_infinite_gradient_saves_nothing(
    small: Small, tmp_path: Path, saved: list[int]
) -> None:
    model = small.model(small.tasks())
    model.heads["rte"].linear.weight.register_hook(lambda g: g * math.inf)
    with after_step(4, terminate), pytest.raises(Diverged):
        small.fit(tmp_path, model=model, log_every=1000)
    assert saved == []


# --- going on -------------------------------------------------------------------------------------


def test_a_run_that_goes_on_does_not_pack_the_epochs_before_it_again(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `max_tokens` the number of updates is known only once each epoch is packed."""
    packed: list[int] = []

    def counting(original: Callable[..., Any]) -> Callable[..., Any]:
        def epoch_order(lengths: Any, settings: Any, seed: int, epoch: int, groups: Any) -> Any:
            packed.append(epoch)
            return original(lengths, settings, seed, epoch, groups)

        return epoch_order

    monkeypatch.setattr(order, "epoch_order", counting(order.epoch_order))
    monkeypatch.setattr(loop_module, "epoch_order", counting(loop_module.epoch_order))
    whole, done = small.fit(tmp_path / "whole", max_tokens=60)
    assert packed == [0, 1, 2, 0, 1, 2]  # counted, then used
    packed.clear()
    with after_step(done.step - 1, terminate), pytest.raises(Interrupted):
        small.fit(tmp_path / "run", max_tokens=60)
    packed.clear()
    resumed, progress = small.fit(tmp_path / "run", max_tokens=60)
    assert packed == [EPOCHS - 1]
    assert progress.steps == progress.step == done.step
    assert same(weights(resumed), weights(whole))
