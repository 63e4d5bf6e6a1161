"""Losses on words, a few tokens at a time, are what they are of all tokens at once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtkd.distillation import Shape, WordHead, WordScoring, WordTerm, build_terms, words
from mtkd.distillation.words import AtOnce
from mtkd.recipe import EncoderLosses
from tests.distillation.teachers import logits_of

TOKENS, MASKED, WIDTH, WORDS = 11, 4, 6, 13
SHARES = {"soft_mlm": 0.3, "mlm": 0.7}
LOSSES = EncoderLosses.model_validate(
    {"soft_mlm": {"weight": 5.0, "temperature": 2.0}, "mlm": {"weight": 2.0}}
)


@pytest.fixture(params=[(1, 1, 1), (2, 4, 3), (4, 4, 100), (5, 5, 2), (11, 11, 4), (32, 99, 99)])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logits are made in steps of so many tokens, of so many at a time, and compared of so many."""
    step, made, compared = request.param
    monkeypatch.setattr(words, "STEP", step)
    monkeypatch.setitem(words.AT_ONCE, "cpu", AtOnce(made * WORDS + 1, compared * WORDS + 1))


def tensors(seed: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    draw = torch.Generator().manual_seed(seed)
    shapes = (TOKENS, WIDTH), (WORDS, WIDTH), (WORDS,)
    return [torch.randn(shape, generator=draw, dtype=dtype).requires_grad_() for shape in shapes]


def terms() -> list[WordTerm]:
    shape = Shape(2, WIDTH, 2, WORDS)
    return [term for term in build_terms(LOSSES, shape, shape) if isinstance(term, WordTerm)]


def scoring(tokens: int = TOKENS, dtype: torch.dtype = torch.float64) -> WordScoring:
    states, matrix, bias = (tensor.detach() for tensor in tensors(1, dtype))
    labels = torch.arange(MASKED) * 3
    return WordScoring(terms(), SHARES, labels, WordHead(states[:tokens], matrix, bias))


def at_one_go(own: list[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    given = scoring()
    student, teacher = (logits_of(head) for head in (WordHead(*own), given.teacher))
    parts = {t.name: t.values(student, teacher, given.labels).sum() * SHARES[t.name]
             for t in terms()}  # fmt: skip
    return sum(term.weight * parts[term.name] for term in terms()), parts


@pytest.mark.usefixtures("at_once")
def test_losses_and_gradients_are_those_of_all_tokens_at_once() -> None:
    own, other = tensors(0), tensors(0)
    found = scoring()(WordHead(*own))
    total, parts = at_one_go(other)
    torch.testing.assert_close(found.total, total)
    assert not any(part.requires_grad for part in found.parts.values())
    torch.testing.assert_close(dict(found.parts), {n: p.detach() for n, p in parts.items()})
    (found.total * 0.25).backward()
    (total * 0.25).backward()
    for one, two in zip(own, other, strict=True):
        torch.testing.assert_close(one.grad, two.grad)


@pytest.mark.usefixtures("at_once")
def test_a_matrix_that_does_not_learn_changes_no_other_gradient() -> None:
    own, other = tensors(0), tensors(0)
    scoring()(WordHead(*own)).total.backward()
    frozen = [other[0], other[1].detach(), other[2]]
    scoring()(WordHead(*frozen)).total.backward()
    torch.testing.assert_close([t.grad for t in (own[0], own[2])],
                               [t.grad for t in (other[0], other[2])])  # fmt: skip
    assert frozen[1].grad is None


@pytest.mark.usefixtures("at_once")
def test_the_gradient_is_that_of_finite_differences() -> None:
    assert torch.autograd.gradcheck(lambda *own: scoring()(WordHead(*own)).total, tensors(0))


def test_no_gradient_reaches_the_teacher() -> None:
    taught = [tensor.requires_grad_() for tensor in tensors(1)]
    given = WordScoring(terms(), SHARES, torch.arange(MASKED), WordHead(*taught))
    given(WordHead(*tensors(0))).total.backward()
    assert all(tensor.grad is None for tensor in taught)


def test_without_gradients_the_losses_are_the_same() -> None:
    with torch.no_grad():
        found = scoring()(WordHead(*tensors(0)))
    torch.testing.assert_close(found.total, at_one_go(tensors(0))[0].detach())


def test_of_no_tokens_there_is_no_loss_and_a_gradient_of_zero() -> None:
    states, matrix, bias = tensors(0)
    empty = WordScoring(terms()[1:], SHARES, torch.arange(0), None)
    found = empty(WordHead(states[:0], matrix, bias))
    found.total.backward()
    assert found.total == 0
    assert matrix.grad is not None
    assert not matrix.grad.any()


def test_gradients_over_many_chunks_are_summed_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Summed in bfloat16, whose steps near 256 are 2, most of 4,000 tokens would be lost."""
    monkeypatch.setattr(words, "STEP", 1)
    monkeypatch.setitem(words.AT_ONCE, "cpu", AtOnce(WORDS, WORDS))
    count = 4000
    states, matrix = torch.ones(count, WIDTH), torch.zeros(WORDS, WIDTH, requires_grad=True)
    given = WordScoring(terms()[1:], {"mlm": 1.0}, torch.zeros(count, dtype=torch.int64), None)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        given(WordHead(states, matrix, None)).total.backward()
    wanted = 2.0 * count / WORDS
    torch.testing.assert_close(matrix.grad[1], torch.full((WIDTH,), wanted), rtol=0.01, atol=0)
