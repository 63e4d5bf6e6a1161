"""Losses on the words that models expect: over the whole vocabulary, a few tokens at a time.

The logits of a batch are a hundred times its states, and each loss reads them again and again. Of a
few tokens they stay near the processor, and no batch, however long, asks for more memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional

from mtkd.distillation.registry import WordTerm
from mtkd.distillation.states import WordHead
from mtkd.losses.precision import precise

STEP = 32  # tokens


class AtOnce(NamedTuple):
    """How many logits are made at once, and of how many losses are taken at once."""

    made: int
    compared: int


AT_ONCE = {"cpu": AtOnce(1 << 23, 1 << 19)}  # the latter stay in its cache
_ELSEWHERE = AtOnce(1 << 26, 1 << 26)  # an accelerator would wait for the next few


class WordLosses(NamedTuple):
    """What terms on words come to: their weighted sum, and each by name, without a gradient."""

    total: Tensor
    parts: Mapping[str, Tensor]


@dataclasses.dataclass(frozen=True)
class WordScoring:
    """The terms on words of one batch.

    shares: by which each term's sum over the batch is multiplied. labels: what the masked tokens
    were, (masked,), which are the first of the heads' tokens. teacher: None where no term reads it.
    """

    terms: Sequence[WordTerm]
    shares: Mapping[str, float]
    labels: Tensor
    teacher: WordHead | None

    def __call__(self, student: WordHead) -> WordLosses:
        """Return the losses of what a student expects."""
        total, parts = _InChunks.apply(student.states, student.matrix, student.bias, self)
        return WordLosses(total, dict(zip((t.name for t in self.terms), parts, strict=True)))

    def sums(self, student: Tensor, teacher: Tensor | None, labels: Tensor) -> Tensor:
        """Return each term's part of the loss, (terms,), for the logits of some tokens."""
        found = [term.values(student, teacher, labels).sum() * self.shares[term.name]
                 for term in self.terms]  # fmt: skip
        return torch.stack(found)


class _InChunks(torch.autograd.Function):
    """The weighted sum of terms, whose gradient is taken while the logits are there.

    To keep them, or to make them again, costs more. Nothing but one number is multiplied with the
    loss on its way back, so the gradient can be had before that is known.
    """

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, matrix: Tensor, bias: Tensor | None, scoring: WordScoring
    ) -> tuple[Tensor, Tensor]:
        weights = torch.tensor([term.weight for term in scoring.terms], device=states.device,
                               dtype=torch.promote_types(states.dtype, torch.float32))  # fmt: skip
        parts = torch.zeros_like(weights)
        limits = AT_ONCE.get(states.device.type, _ELSEWHERE)
        made = max(1, limits.made // len(matrix) // STEP) * STEP
        compared = max(1, limits.compared // len(matrix))
        learns = any(ctx.needs_input_grad)
        student = _Logits(WordHead(states, matrix, bias), made)
        teacher = None if scoring.teacher is None else _Logits(scoring.teacher, made)
        gradient = _Gradient(student.head, ctx.needs_input_grad[1]) if learns else None
        with torch.autocast(states.device.type, enabled=False), _kept_by_itself():
            for chunk in _cut(len(student.head.states), made):
                own, labels = student.of(chunk), scoring.labels[chunk]
                other = None if teacher is None else teacher.of(chunk)
                real = min(len(own), len(states) - chunk.start)
                own[real:] = 0
                for few in _cut(real, compared):
                    logits = precise(own[few]).requires_grad_(learns)
                    others = None if other is None else precise(other[few])
                    with torch.set_grad_enabled(learns):
                        sums = scoring.sums(logits, others, labels[few])
                        total = sums @ weights
                    parts += sums.detach()
                    if learns:  # in their place
                        own[few] = torch.autograd.grad(total, logits)[0]
                if gradient is not None:
                    gradient.add(student.head, chunk, own)
        ctx.gradient, ctx.count = gradient, len(states)
        ctx.mark_non_differentiable(parts)
        return parts @ weights, parts

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factor: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        found: _Gradient = ctx.gradient
        bias = None if found.bias is None else found.bias * factor
        states = found.states[: ctx.count] * factor
        matrix = None if found.matrix is None else found.matrix * factor
        return states, matrix, bias, None


class _Logits:
    """A head's logits, of one chunk of tokens after another, all in the same memory.

    The tokens are made up to whole steps by states of 0: for every other shape of a product oneDNN
    keeps a program for good, in the midst of the blocks that come and go, and the heap is left with
    gaps between them that nothing fits into.
    """

    def __init__(self, head: WordHead, most: int) -> None:
        head = head.in_use()
        states = functional.pad(head.states, (0, 0, 0, -len(head.states) % STEP))
        self.head = dataclasses.replace(head, states=states)
        self._memory = head.matrix.new_empty(most, len(head.matrix))

    def of(self, chunk: slice) -> Tensor:
        """Return those of a chunk, (tokens, vocabulary), in place of the last one's."""
        states, words = self.head.states[chunk], self.head.matrix.T
        out = self._memory[: len(states)]
        if self.head.bias is None:
            return torch.mm(states, words, out=out)
        return torch.addmm(self.head.bias, states, words, out=out)


class _Gradient:
    """What is summed up, over chunks, of the gradient of a head's three tensors.

    of_matrix: whether the matrix learns.
    """

    def __init__(self, head: WordHead, of_matrix: bool) -> None:
        sums = torch.promote_types(head.matrix.dtype, torch.float32)
        self.states = torch.zeros_like(head.states)
        self.matrix = torch.zeros_like(head.matrix, dtype=sums) if of_matrix else None
        self.bias = None if head.bias is None else torch.zeros_like(head.bias, dtype=sums)

    def add(self, head: WordHead, chunk: slice, logits: Tensor) -> None:
        """Add what follows from the gradient of a chunk's logits."""
        torch.mm(logits, head.matrix, out=self.states[chunk])
        if self.matrix is not None:
            self.matrix += logits.T @ head.states[chunk]
        if self.bias is not None:
            self.bias += logits.sum(0, dtype=self.bias.dtype)


def _cut(count: int, most: int) -> Iterator[slice]:
    """Yield slices of at most so many, one after another."""
    for start in range(0, count, most):
        yield slice(start, min(start + most, count))


def _kept_by_itself() -> saved_tensors_hooks:
    """Let autograd keep tensors as it does: who counts what it keeps would count each chunk's."""
    return saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor)
