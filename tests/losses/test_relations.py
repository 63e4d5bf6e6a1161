from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtkd.errors import ShapeError
from mtkd.losses import relations

STUDENT = torch.tensor([[[1.0, 0], [0, 1]]], dtype=torch.float64)
TEACHER = torch.tensor([[[1.0, 0, 0, 0], [1, 0, 0, 0]]], dtype=torch.float64)
REAL = torch.ones(1, 2)


def vectors(*shape: int, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=draw)


@pytest.mark.parametrize(("heads", "expected"), [(1, 0.06124), (2, 0.060057)])
def test_known_values(heads: int, expected: float) -> None:
    losses = relations(STUDENT, TEACHER, REAL, heads)
    assert losses.mean().item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("content", [0.0, 7.0, 1e30])
def test_a_padding_row_changes_nothing(content: float) -> None:
    def longer(tensor: Tensor) -> Tensor:
        return torch.cat([tensor, torch.full_like(tensor[:, :1], content)], dim=1)

    student = longer(STUDENT).requires_grad_(True)
    losses = relations(student, longer(TEACHER), torch.tensor([[1, 1, 0]]), 1)
    torch.testing.assert_close(losses[:, :2], relations(STUDENT, TEACHER, REAL, 1))
    assert losses[0, 2] == 0
    (gradient,) = torch.autograd.grad(losses.sum(), student)
    assert gradient.isfinite().all()
    assert not gradient[0, 2].any()


def test_it_is_zero_where_relations_are_the_same_though_vectors_are_not() -> None:
    teacher = vectors(2, 3, 4, seed=1)
    rotation, _ = torch.linalg.qr(vectors(4, 4, seed=2))
    losses = relations(teacher @ rotation, teacher, torch.ones(2, 3), 1)
    torch.testing.assert_close(losses, torch.zeros(2, 3, dtype=torch.float64))


def test_it_is_the_teacher_that_weighs_the_keys() -> None:
    one, other = vectors(1, 3, 4, seed=1), 2 * vectors(1, 3, 4, seed=2)
    mask = torch.ones(1, 3)

    def relation(states: Tensor) -> Tensor:
        return (states @ states.transpose(1, 2) / 2).softmax(-1)  # sqrt(4) = 2

    teacher, student = relation(other), relation(one)
    by_hand = (teacher * (teacher / student).log()).sum(-1)
    torch.testing.assert_close(relations(one, other, mask, 1), by_hand)


def test_gradients_by_finite_differences() -> None:
    student, teacher = vectors(2, 3, 4, seed=1).requires_grad_(True), vectors(2, 3, 6, seed=2)
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    assert torch.autograd.gradcheck(lambda s: relations(s, teacher, mask, 2), student)


def test_heads_that_do_not_divide_a_width_are_refused() -> None:
    with pytest.raises(ShapeError, match="3 does not divide a width of 4"):
        relations(vectors(1, 2, 4, seed=1), vectors(1, 2, 6, seed=1), REAL, 3)
