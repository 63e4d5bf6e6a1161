"""How many bytes a training step needs: tried out on a GPU, worked out from a few rows on a CPU."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mtkd.training.checkpointing import set_checkpointing
from mtkd.training.goal import Source, Trained

Rows = NDArray[np.int64]
Forward = Callable[[Any, Rows], Tensor]  # the mean loss of some rows of a source
Need = Callable[[Mapping[str, int], bool], float]  # rows at once by task, checkpointing -> bytes

_STATE = 2 * 4  # bytes a weight: Adamax and AdamW keep two float32 numbers
_IN_STEP = 2 * 4  # and make as many on the way, where all weights are updated at once
_SMALL, _LARGE = 2, 4  # rows that the estimate is drawn from
# Beside what is remembered, a backward pass holds gradients of the last layer's outputs: measured
# at 0.9 to 2.3 times the largest remembered tensor (BERT, fp32 and bf16, with and without dropout).
_ON_THE_WAY = 3
# What malloc's heap takes for a byte in use, by whether checkpointing is on: it keeps gaps between
# blocks of less than 32 MB. Measured at 1.15 to 1.22 without, and 1.3 (bf16) to 2.8 (fp32) with it.
_HEAP = {False: 1.35, True: 3.0}


@dataclasses.dataclass(frozen=True)
class Fixed:
    """Bytes that do not depend on the batch: gradients, and state that is not there yet."""

    gradients: int
    state: int
    in_step: int

    def with_activations(self, activations: float) -> float:
        """Return the most that is needed at a time, beside what is there before the first step.

        Gradients are there from a batch's second piece on, and counted from the first.
        """
        return self.gradients + self.state + max(activations, self.in_step)


@contextmanager
def undisturbed(model: Trained, device: torch.device) -> Iterator[None]:
    """Run in training mode, and leave random numbers, mode and gradients as they were: none."""
    was_training = model.training
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            model.train()
            yield
        finally:
            model.train(was_training)
            for parameter in model.parameters():
                parameter.grad = None


def fixed_bytes(model: Trained, optimizer: torch.optim.Optimizer) -> Fixed:
    """Return what gradients and the optimiser will add; a resumed one has its state already.

    A table that is updated by the row has its state already too, and gradients of few rows.
    """
    by_row = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding) and m.sparse}
    trained = [p for p in model.parameters() if p.requires_grad and id(p) not in by_row]
    weights = sum(p.numel() for p in trained)
    there = sum(_size(t) for state in optimizer.state.values() for t in state.values())
    return Fixed(
        gradients=sum(_size(p) for p in trained),
        state=max(0, _STATE * weights - there),
        in_step=_IN_STEP * weights,
    )


def estimated_need(
    model: Trained, tasks: Mapping[str, Source], forward: Forward, fixed: Fixed
) -> Need:
    """Return a function that works out what a step needs from forward passes of a few rows.

    On a CPU a step that is too large ends the process without a word. What autograd remembers grows
    in proportion to the rows, so two small batches give it for any number.
    """
    layers = int(getattr(model.encoder.config, "num_hidden_layers", 1))
    on_heap = next(model.parameters()).device.type == "cpu"

    @functools.cache
    def line(name: str, checkpointing: bool) -> tuple[float, float, float]:
        set_checkpointing(model, checkpointing)
        task = tasks[name]
        low, _ = saved_bytes(model, forward, task, longest_rows(task, _SMALL, padded=True))
        high, largest = saved_bytes(model, forward, task, longest_rows(task, _LARGE, padded=True))
        a_row = (high - low) / (_LARGE - _SMALL)
        return max(0.0, low - _SMALL * a_row), a_row, largest / _LARGE

    def activations(name: str, rows: int, checkpointing: bool) -> float:
        constant, a_row, largest = line(name, False)
        remembered = constant + rows * a_row
        if checkpointing:
            constant, a_row, _ = line(name, True)
            kept = constant + rows * a_row
            remembered = kept + max(0.0, remembered - kept) / layers  # one layer run again
        in_use = remembered + _ON_THE_WAY * rows * largest
        return in_use * (_HEAP[checkpointing] if on_heap else 1.0)

    def need(rows: Mapping[str, int], checkpointing: bool) -> float:
        most = max(activations(name, count, checkpointing) for name, count in rows.items())
        return fixed.with_activations(most)

    return need


def tried_need(
    model: Trained,
    tasks: Mapping[str, Source],
    forward: Forward,
    fixed: Fixed,
    device: torch.device,
) -> Need:
    """Return a function that runs the costliest task's longest rows, forward and backward.

    Gradients and the optimiser's state are allocated first. It returns infinity where the GPU's
    memory ran out.
    """

    @functools.cache
    def tried(name: str, rows: int, checkpointing: bool) -> float:
        set_checkpointing(model, checkpointing)
        task = tasks[name]
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        fits = survives(model, lambda: forward(task, longest_rows(task, rows, rows >= 8)),
                        fixed.state, device)  # fmt: skip
        taken = torch.cuda.max_memory_allocated(device) - before
        if not fits:
            torch.cuda.empty_cache()
            return math.inf
        return max(float(taken), fixed.with_activations(0.0))

    def need(rows: Mapping[str, int], checkpointing: bool) -> float:
        name = costliest(model, tasks, rows)
        return tried(name, rows[name], checkpointing)

    return need


def survives(model: Trained, loss: Callable[[], Tensor], state: int, device: torch.device) -> bool:
    """Return whether a forward and backward pass goes through without running out of memory.

    Args: state: bytes to be held beside it.
    """
    try:
        held = torch.empty(state, dtype=torch.uint8, device=device)
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
        loss().backward()
    except torch.OutOfMemoryError:
        return False
    finally:
        for parameter in model.parameters():
            parameter.grad = None
    del held
    return True


def costliest(model: Trained, tasks: Mapping[str, Source], rows: Mapping[str, int]) -> str:
    """Return the task with most rows x tokens at once; of equals the one with the larger head."""

    def cost(name: str) -> tuple[int, int]:
        tokens = int(tasks[name].rows.lengths[tasks[name].places].max())
        return rows[name] * tokens, sum(p.numel() for p in model.watched[name].parameters())

    return max(rows, key=cost)


def longest_rows(task: Source, count: int, padded: bool) -> Rows:
    """Return `count` of the task's longest rows, again from the first where there are fewer.

    Args: padded: put the shortest in place of the last, since a batch without padding may take
        another way through attention.
    """
    order = np.argsort(-task.rows.lengths[task.places], kind="stable")
    chosen = np.resize(order, count)
    if padded and count > 1:
        chosen[-1] = order[-1]
    return task.places[chosen]


def saved_bytes(model: Trained, forward: Forward, task: Source, rows: Rows) -> tuple[int, int]:
    """Return what autograd remembers of a forward pass, and the largest tensor of that, in bytes.

    Each piece of memory counts once; the model's own weights do not count.
    """
    own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        # a jagged tensor has its numbers in another
        storage = (tensor.values() if tensor.is_nested else tensor).untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        forward(task, rows)
    return sum(saved.values()), max(saved.values(), default=0)


def _size(tensor: object) -> int:
    return tensor.numel() * tensor.element_size() if isinstance(tensor, Tensor) else 0
