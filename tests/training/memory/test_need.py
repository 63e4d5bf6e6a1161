"""What a step is said to need is what it takes, and finding out changes nothing."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mtkd.optim import build_optimizer
from mtkd.recipe import TrainingSettings
from mtkd.training.memory.need import (
    _HEAP,
    Fixed,
    costliest,
    estimated_need,
    fixed_bytes,
    longest_rows,
    saved_bytes,
    survives,
    undisturbed,
)
from tests.training.memory.made_up import (
    CPU,
    HEAD,
    forward_of,
    made_up_model,
    made_up_task,
)

NOTHING = Fixed(gradients=0, state=0, in_step=0)
ROOT = Path(__file__).parents[3]


# --- what autograd remembers ----------------------------------------------------------------------


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_few_rows_foretell_what_many_remember(dropout, precision):
    model, task = made_up_model(dropout=dropout).train(), made_up_task([40] * 29 + [20] * 3)
    forward = forward_of(model, precision)
    need = estimated_need(model, {"t": task}, forward, NOTHING)
    remembered, largest = saved_bytes(model, forward, task, np.arange(32))
    margin = need({"t": 32}, False) / _HEAP[False] - remembered  # the heap's gaps
    assert 2 * largest < margin < 4 * largest


def test_the_models_own_weights_are_not_counted():
    """A layer without dropout remembers its input alone, 3 x 5 numbers of 4 bytes."""
    model, layer = made_up_model(), torch.nn.Linear(5, 5)
    model.layer = layer
    remembered, largest = saved_bytes(
        model, lambda task, rows: layer(torch.ones(3, 5, requires_grad=True)), None, None
    )
    assert (remembered, largest) == (60, 60)


def test_memory_that_two_operations_remember_counts_once():
    x = torch.ones(100, requires_grad=True)

    def forward(task, rows):
        y = x * 2
        return y.exp().sum() + (y * y).view(10, 10).square().sum()  # y, exp(y), y * y

    assert saved_bytes(made_up_model(), forward, None, None) == (3 * 400, 400)


def test_checkpointing_needs_less():
    model, task = made_up_model(layers=8), made_up_task([40] * 32)
    need = estimated_need(model, {"t": task}, forward_of(model), NOTHING)
    with undisturbed(model, CPU):
        assert need({"t": 32}, True) < 0.8 * need({"t": 32}, False)


def test_the_costliest_of_several_tasks_counts():
    model = made_up_model("long", "short")
    tasks = {"long": made_up_task([60] * 8, "long"), "short": made_up_task([6] * 8, "short")}
    need = estimated_need(model, tasks, forward_of(model), NOTHING)
    with undisturbed(model, CPU):
        both = need({"long": 8, "short": 8}, False)
        assert both == need({"long": 8}, False) > need({"short": 8}, False)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_estimate_is_near_what_a_process_grows_by(checkpointing):
    """Never less than nine tenths of it, never more than twice as much."""
    command = [sys.executable, "-m", "tests.training.memory.made_up", str(checkpointing)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    estimated, grown = json.loads(done.stdout)
    assert 0.9 * grown < estimated < 2 * grown


# --- what does not depend on the batch ------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adamax", "adamw"])
def test_the_state_to_come_is_what_the_first_step_allocates(optimizer):
    model, task = made_up_model(), made_up_task([9] * 4)
    made = build_optimizer(model, TrainingSettings(optimizer=optimizer))
    weights = sum(p.numel() for p in model.parameters())
    before = fixed_bytes(model, made)
    assert (before.gradients, before.state) == (4 * weights, 8 * weights)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    forward_of(model)(task, np.arange(4)).backward()
    made.step()
    assert fixed_bytes(model, made) == Fixed(4 * weights, 0, before.in_step)


def test_gradients_and_state_are_added_to_activations():
    fixed = Fixed(gradients=100, state=200, in_step=50)
    assert fixed.with_activations(70) == 370
    assert fixed.with_activations(0) == 350


# --- which rows -----------------------------------------------------------------------------------


def test_the_longest_rows_are_taken_with_the_shortest_for_padding():
    task = made_up_task([5, 30, 20, 9, 30])
    assert longest_rows(task, 3, padded=False).tolist() == [1, 4, 2]
    assert longest_rows(task, 3, padded=True).tolist() == [1, 4, 0]
    assert longest_rows(task, 1, padded=True).tolist() == [1]
    assert longest_rows(made_up_task([7, 8]), 5, padded=False).tolist() == [1, 0, 1, 0, 1]


def test_rows_that_are_not_trained_on_are_not_taken():
    task = made_up_task([5, 90, 20])
    task.places = np.array([2, 0])
    assert longest_rows(task, 2, padded=False).tolist() == [2, 0]


def test_of_equally_long_tasks_the_one_with_the_larger_head_is_run():
    model = made_up_model("a", "c", b=HEAD | {"type": "san"})
    tasks = {name: made_up_task([10] * 4, name) for name in "abc"}
    assert costliest(model, tasks, {"a": 4, "b": 4, "c": 4}) == "b"
    assert costliest(model, tasks, {"a": 4, "b": 3, "c": 5}) == "c"


# --- nothing is changed ---------------------------------------------------------------------------


def test_random_numbers_weights_mode_and_gradients_stay():
    model, task = made_up_model(), made_up_task([40] * 9)
    model.eval()
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with undisturbed(model, CPU):
        assert model.training
        need = estimated_need(model, {"t": task}, forward_of(model), NOTHING)
        need({"t": 9}, True)
        assert survives(model, lambda: forward_of(model)(task, np.arange(9)), 100, CPU)
        assert not torch.equal(torch.get_rng_state(), before)  # dropout did draw
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(tensor, weights[n]) for n, tensor in model.state_dict().items())


# --- trials, as on a GPU --------------------------------------------------------------------------


def test_a_trial_has_gradients_and_state_beside_it_and_leaves_none():
    model, task = made_up_model(), made_up_task([9] * 4)
    seen = []

    def loss():
        seen.append(all(p.grad is not None for p in model.parameters()))
        return forward_of(model)(task, np.arange(4))

    assert survives(model, loss, 10, CPU)
    assert seen == [True]
    assert all(p.grad is None for p in model.parameters())


def test_memory_that_runs_out_ends_a_trial_and_not_the_run():
    model = made_up_model()

    def out_of_memory():
        raise torch.OutOfMemoryError("CUDA out of memory")

    assert not survives(model, out_of_memory, 10, CPU)
    assert all(p.grad is None for p in model.parameters())


def test_other_faults_of_a_trial_are_not_hidden():
    def broken():
        raise RuntimeError("shapes")

    with pytest.raises(RuntimeError, match="shapes"):
        survives(made_up_model(), broken, 10, CPU)


class FakeGpu:
    """torch.cuda's counters, of a GPU with room for `rows` rows, at 10 bytes each."""

    def __init__(self, monkeypatch, rows: int) -> None:
        self.rows, self.peak, self.tried = rows, 0, []
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
        monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 7)
        monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 7 + self.peak)

    def forward(self, model):
        def run(task, rows):
            self.tried.append(len(rows))
            if len(rows) > self.rows:
                raise torch.OutOfMemoryError("CUDA out of memory")
            self.peak = 10 * len(rows)
            return forward_of(model)(task, rows)

        return run


def test_a_trial_says_what_was_taken_or_infinity_and_is_made_once(monkeypatch):
    from mtkd.training.memory.need import tried_need

    gpu, model, task = FakeGpu(monkeypatch, rows=5), made_up_model(), made_up_task([9] * 8)
    need = tried_need(model, {"t": task}, gpu.forward(model), NOTHING, CPU)
    assert [need({"t": n}, False) for n in (5, 6, 3, 5, 6)] == [50, math.inf, 30, 50, math.inf]
    assert gpu.tried == [5, 6, 3]
