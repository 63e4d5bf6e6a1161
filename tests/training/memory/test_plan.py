"""A batch that fits passes unseen; one that does not is refused with what would, or cut."""

from __future__ import annotations

import logging
import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import DistributedType

from mtkd.errors import RecipeError
from mtkd.model import MultiTaskModel
from mtkd.optim import build_optimizer
from mtkd.recipe import TrainingSettings
from mtkd.training.memory import MemoryPlan, plan_memory
from mtkd.training.memory.plan import agreed
from tests.training.memory.made_up import (
    CPU,
    forward_of,
    is_checkpointing,
    made_up_model,
    made_up_task,
)

PLENTY = 10**12
TASKS = [made_up_task([40] * 60, "long"), made_up_task([12] * 90, "short")]


def accelerator(**changes: Any) -> Any:
    return SimpleNamespace(**{
        "device": CPU, "num_processes": 1, "is_main_process": True,
        "distributed_type": DistributedType.NO, **changes,
    })  # fmt: skip


def plan(available: int, model: MultiTaskModel | None = None, **settings: Any) -> MemoryPlan:
    recorded = settings.pop("recorded", None)
    model = model or made_up_model("long", "short", layers=8)
    chosen = TrainingSettings(**settings)
    return plan_memory(
        model, build_optimizer(model, chosen), TASKS, chosen, accelerator(), forward_of(model),
        title="student", recorded=recorded, available=available,
    )  # fmt: skip


@pytest.fixture(scope="module")
def needed() -> dict[int, int]:
    """Bytes of a step, by batch size."""
    found = {rows: plan(PLENTY, batch_size=rows).needed_bytes for rows in (1, 4, 8, 32)}
    return {rows: bytes_ for rows, bytes_ in found.items() if bytes_ is not None}


def test_a_batch_that_fits_is_left_as_it_is(needed, caplog):
    with caplog.at_level(logging.INFO):
        found = plan(needed[32])
    assert found == MemoryPlan(32, 1, False, needed[32], needed[32])
    (line,) = caplog.messages
    assert re.fullmatch(
        r"student: longest batch: 32 rows x 40 tokens needs [\d.]+ MB of [\d.]+ MB available", line
    )


def test_a_batch_that_does_not_fit_is_refused_before_the_first_step(needed):
    with pytest.raises(RecipeError) as caught:
        plan(needed[8])
    text = str(caught.value)
    assert caught.value.exit_code == 2
    assert text.startswith(
        "student: training.batch_size=32: the longest batch, 32 rows x 40 tokens"
    )
    assert "training.batch_size=auto" in text
    for number in (needed[32], needed[8]):
        assert f"{number / 1e6:.1f} MB" in text


def test_all_that_the_refusal_names_is_true(needed):
    available = needed[32] * 9 // 10
    with pytest.raises(RecipeError) as caught:
        plan(available)
    text = str(caught.value)
    pieces = int(re.search(r"training\.accumulation=(\d+)", text)[1])
    rows = int(re.search(r"training\.batch_size=(\d+), other", text)[1])
    plan(available, accumulation=pieces)
    plan(available, batch_size=rows)
    with pytest.raises(RecipeError):
        plan(available, batch_size=rows + 1)
    if pieces > 2:
        with pytest.raises(RecipeError):
            plan(available, accumulation=pieces - 1)
    assert "training.gradient_checkpointing=true" in text
    assert plan(available, gradient_checkpointing=True).gradient_checkpointing


def test_where_not_one_row_fits_the_refusal_says_so():
    with pytest.raises(RecipeError, match=r"not one row fits.* lower data\.max_length"):
        plan(1000)
    with pytest.raises(RecipeError, match="not one row fits"):
        plan(1000, batch_size="auto")


# --- batch_size: auto -----------------------------------------------------------------------------


@pytest.mark.parametrize(("like", "pieces"), [(32, 1), (8, 4), (4, 8), (1, 32)])
def test_auto_keeps_the_rows_of_an_update_and_cuts_them(needed, like, pieces, caplog):
    with caplog.at_level(logging.INFO):
        found = plan(needed[like], batch_size="auto")
    assert (found.batch_size, found.accumulation) == (32, pieces)
    assert found.gradient_checkpointing is False
    assert found.needed_bytes == needed[like]
    assert caplog.messages[-1] == (
        f"student: batch_size auto: 32 rows an update, accumulation {pieces}, checkpointing off"
    )


def test_auto_turns_to_checkpointing_where_one_row_does_not_fit(needed):
    model = made_up_model("long", "short", layers=8)
    found = plan(needed[1] - 1, model, batch_size="auto")
    assert found.gradient_checkpointing
    assert is_checkpointing(model)


def test_a_plan_applied_gives_settings_that_say_what_is_done(needed):
    settings = TrainingSettings(batch_size="auto", epochs=2)
    applied = plan(needed[8], batch_size="auto", epochs=2).apply(settings)
    assert applied == TrainingSettings(batch_size=32, accumulation=4, epochs=2)


def test_a_resumed_run_keeps_its_plan_on_a_larger_machine():
    recorded = MemoryPlan(32, 16, True)
    model = made_up_model("long", "short", layers=8)
    found = plan(PLENTY, model, batch_size="auto", recorded=recorded)
    assert (found.accumulation, found.gradient_checkpointing) == (16, True)
    assert is_checkpointing(model)


def test_a_recorded_plan_that_does_not_fit_is_refused_and_not_changed(needed):
    with pytest.raises(RecipeError, match=r"training\.batch_size=32"):
        plan(needed[4], batch_size="auto", recorded=MemoryPlan(32, 2, False))


# --- nothing is changed ---------------------------------------------------------------------------


@pytest.mark.parametrize("checkpointing", [False, True])
def test_weights_random_numbers_and_optimiser_stay(checkpointing):
    model = made_up_model("long", "short")
    settings = TrainingSettings(gradient_checkpointing=checkpointing)
    optimizer = build_optimizer(model, settings)
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(3)
    before = torch.get_rng_state()
    plan_memory(model, optimizer, TASKS, settings, accelerator(), forward_of(model),
                title="student", available=PLENTY)  # fmt: skip
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(tensor, weights[n]) for n, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert optimizer.state_dict()["state"] == {}
    assert is_checkpointing(model) is checkpointing


# --- several processes ----------------------------------------------------------------------------


def with_others(*others: list[int]) -> Any:
    """An accelerator of one of several processes; the others gave these."""
    return accelerator(
        num_processes=1 + len(others),
        gather=lambda mine: torch.cat([mine, torch.tensor(list(others))]),
    )


def test_all_processes_take_the_most_pieces_and_checkpointing_if_one_does():
    mine = TrainingSettings(accumulation=4)
    found = agreed(mine, None, with_others([0, 0, 8], [0, 1, 2]))
    assert (found.accumulation, found.gradient_checkpointing) == (8, True)
    assert agreed(mine, None, with_others([0, 0, 1])) == mine


def test_all_processes_stop_where_it_does_not_fit_in_one():
    with pytest.raises(RecipeError, match="another process"):
        agreed(TrainingSettings(), None, with_others([1, 0, 0]))
    with pytest.raises(RecipeError, match="mine"):
        agreed(None, "mine", with_others([0, 0, 1]))


def test_sharded_weights_are_not_looked_at(caplog, monkeypatch):
    monkeypatch.setattr("mtkd.training.memory.plan.is_sharded", lambda model: True)

    def never(*_: object) -> None:
        raise AssertionError("a step was run")

    model, settings = made_up_model("long", "short"), TrainingSettings(batch_size=8)
    with caplog.at_level(logging.INFO):
        found = plan_memory(
            model, build_optimizer(model, settings), TASKS, settings,
            accelerator(), never, title="student",
        )  # fmt: skip
    assert found == MemoryPlan(8, 1, False)
    assert "not looked at" in caplog.text
    with pytest.raises(RecipeError, match="batch_size=auto does not know"):
        plan_memory(
            model, build_optimizer(model, settings), TASKS, TrainingSettings(batch_size="auto"),
            accelerator(), never, title="student",
        )  # fmt: skip
