"""The loop computes what a few lines of plain PyTorch compute, however a batch is split."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.optim.optimizer import register_optimizer_step_pre_hook

from mtkd.batching import epoch_order, steps_per_epoch
from mtkd.model import MultiTaskModel
from mtkd.training import Objective, TrainingTask
from tests.training.small import SETTINGS, Small, weights

T = 2.0


def row_losses(task: TrainingTask, rows: NDArray[np.int64], logits: Tensor, share: float) -> Tensor:
    """The mixed loss, written out for one row after another."""
    losses = []
    for row, logit in zip(rows, logits, strict=True):
        gold = task.rows.labels[row]
        if task.task.kind == "regression":
            losses.append((logit[0] - gold) ** 2)
            continue
        loss = -F.log_softmax(logit, dim=0)[int(gold)]
        if task.soft is not None and task.soft.known[row]:
            q = torch.as_tensor(task.soft.targets[row])
            soft = -(q * F.log_softmax(logit / T, dim=0)).sum() * T**2
            loss = (1 - share) * loss + share * soft
        losses.append(loss)
    return torch.stack(losses)


def train_plainly(model: MultiTaskModel, tasks: dict[str, TrainingTask], anneal: bool) -> None:
    """Algorithm 1 with Adamax and decoupled decay written out (Kingma and Ba 2015, algorithm 2)."""
    lengths = {name: task.rows.lengths for name, task in tasks.items()}
    steps = sum(steps_per_epoch({n: len(rows) for n, rows in lengths.items()}, SETTINGS))
    state: dict[Tensor, tuple[int, Tensor, Tensor]] = {}
    step, warm = 0, math.ceil(0.1 * steps)
    for epoch in range(SETTINGS.epochs):
        for name, rows in epoch_order(lengths, SETTINGS, 11, epoch):
            rate = 1e-3 * ((step + 1) / warm if step < warm else (steps - step) / (steps - warm))
            logits = model(name, **tasks[name].rows.batch(rows))
            share = 1 - step / steps if anneal else 0.5
            row_losses(tasks[name], rows, logits, share).mean().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            with torch.no_grad():
                for p in (p for p in model.parameters() if p.grad is not None):
                    t, m, u = state.get(p, (0, torch.zeros_like(p), torch.zeros_like(p)))
                    t, m = t + 1, 0.9 * m + 0.1 * p.grad
                    u = torch.maximum(0.999 * u, p.grad.abs() + 1e-8)
                    p *= 1 - rate * (0.01 if p.ndim > 1 else 0.0)
                    p -= rate / (1 - 0.9**t) * m / u
                    state[p], p.grad = (t, m, u), None
            step += 1


@contextmanager
def gradients_recorded() -> Iterator[list[dict[int, Tensor]]]:
    """Collect the clipped gradients of every step, by the number of the parameter."""
    found: list[dict[int, Tensor]] = []

    def record(optimizer: torch.optim.Optimizer, *_: object) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        found.append({i: p.grad.clone() for i, p in enumerate(parameters) if p.grad is not None})

    handle = register_optimizer_step_pre_hook(record)
    try:
        yield found
    finally:
        handle.remove()


@pytest.mark.parametrize("anneal", [False, True])
def test_the_loop_takes_the_steps_of_a_plain_one(
    small: Small, tmp_path: Path, anneal: bool
) -> None:
    tasks = small.tasks()
    plain = small.model(tasks, dropout=0.0)
    before = weights(plain)
    train_plainly(plain, {t.task.name: t for t in tasks}, anneal)
    objective = Objective(0.5, anneal, T)
    model, progress = small.fit(tmp_path, dropout=0.0, objective=objective)
    assert progress.step == 3 * 7
    for name, expected in weights(plain).items():
        torch.testing.assert_close(model.state_dict()[name], expected, rtol=0, atol=1e-6)
    moved = [(before[name] - w).abs().max() for name, w in weights(plain).items() if w.ndim > 1]
    assert min(moved) > 1e-3  # every matrix was trained, heads included, so the match says much


@pytest.mark.parametrize("pieces", [3, 4, 7])
@pytest.mark.parametrize("names", [("rte", "stsb"), ("qnli",)])
def test_the_gradient_does_not_depend_on_the_pieces_a_batch_is_cut_into(
    small: Small, tmp_path: Path, names: tuple[str, ...], pieces: int
) -> None:
    found = []
    for count in (1, pieces):
        tasks = [small.task(name, soft=name == "rte") for name in names]
        with gradients_recorded() as gradients:
            _, progress = small.fit(
                tmp_path / f"{count}", tasks=tasks, dropout=0.0, accumulation=count, epochs=1,
                batch_size=8, clip_norm=None,
                # Adamax makes whole steps of what rounding leaves of a zero gradient: small steps,
                # so that such weights cannot drift apart and change the other gradients
                learning_rate=1e-7,
            )  # fmt: skip
        found.append(gradients)
        assert len(gradients) == progress.step == sum(-(-len(t.rows) // 8) for t in tasks)
    for one, other in zip(*found, strict=True):
        assert one.keys() == other.keys()
        for number, gradient in one.items():
            torch.testing.assert_close(other[number], gradient, rtol=1e-4, atol=1e-6)


def test_a_task_weight_scales_its_gradient(small: Small, tmp_path: Path) -> None:
    found = []
    for weight in (1.0, 0.25):
        with gradients_recorded() as gradients:
            small.fit(
                tmp_path / f"{weight}", tasks=[small.task("stsb")], dropout=0.0, epochs=1,
                clip_norm=None, batch_size=16, task_weights={"stsb": weight},
            )  # fmt: skip
        found.append(gradients[0])
    for number, gradient in found[0].items():
        torch.testing.assert_close(found[1][number], 0.25 * gradient, rtol=1e-5, atol=1e-8)


def test_an_optimizer_steps_only_what_the_batch_reached(small: Small, tmp_path: Path) -> None:
    """A zero gradient would still decay the other tasks' heads and move them by momentum."""
    with gradients_recorded() as gradients:
        model, _ = small.fit(tmp_path, epochs=1)
    heads = sum(1 for p in model.heads["rte"].parameters())
    assert all(len(g) == len(list(model.parameters())) - heads for g in gradients)


def test_the_objective_of_the_loop_is_the_one_given(small: Small, tmp_path: Path) -> None:
    """Soft labels that are passed but not used would train a second baseline."""
    soft, _ = small.fit(tmp_path / "soft", objective=Objective(1.0), epochs=1)
    gold, _ = small.fit(tmp_path / "gold", objective=Objective(0.0), epochs=1)
    assert not torch.equal(soft.heads["rte"].linear.weight, gold.heads["rte"].linear.weight)
