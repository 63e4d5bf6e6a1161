from __future__ import annotations

import pytest
import torch

from mtkd.errors import ShapeError
from mtkd.losses import seed_distillation
from mtkd.losses.similarities import cross_entropy_of

NOW = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
BEFORE = torch.tensor([[0.6, 0.8]], dtype=torch.float64)
QUEUE = torch.eye(2, dtype=torch.float64)


@pytest.mark.parametrize(
    ("own", "other", "expected"), [(1.0, 1.0, 1.201704), (0.2, 0.01, 2.132845)]
)
def test_known_values(own: float, other: float, expected: float) -> None:
    loss, _ = seed_distillation(NOW, BEFORE, QUEUE, own, other)
    assert loss.tolist() == pytest.approx([expected], abs=1e-5)


def test_without_its_own_column_the_value_would_be_another() -> None:
    found = cross_entropy_of(NOW @ QUEUE.T, BEFORE @ QUEUE.T)
    assert found.tolist() == pytest.approx([0.863096], abs=1e-5)


def test_with_an_empty_queue_there_is_nothing_to_learn() -> None:
    loss, divergence = seed_distillation(NOW, BEFORE, QUEUE[:0], 0.2, 0.01)
    assert loss.tolist() == divergence.tolist() == [0.0]


def test_a_student_as_before_has_no_gradient_and_no_divergence_at_equal_temperatures() -> None:
    draw = torch.Generator().manual_seed(3)
    before = torch.randn(4, 6, dtype=torch.float64, generator=draw)
    queue = torch.randn(9, 6, dtype=torch.float64, generator=draw)
    own = before.clone().requires_grad_()
    loss, divergence = seed_distillation(own, before, queue, 0.3, 0.3)
    loss.sum().backward()
    torch.testing.assert_close(divergence, torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(own.grad, torch.zeros_like(own))


def test_the_order_of_the_queue_does_not_matter() -> None:
    draw = torch.Generator().manual_seed(4)
    student, teacher = (torch.randn(3, 5, dtype=torch.float64, generator=draw) for _ in range(2))
    queue = torch.randn(7, 5, dtype=torch.float64, generator=draw)
    one, other = (seed_distillation(student, teacher, q, 0.2, 0.1)[0] for q in (queue, queue[::2]))
    turned, _ = seed_distillation(student, teacher, queue.flip(0), 0.2, 0.1)
    torch.testing.assert_close(one, turned)
    assert not torch.allclose(one, other)


def test_gradients_by_finite_differences() -> None:
    draw = torch.Generator().manual_seed(2)
    student = torch.randn(3, 4, dtype=torch.float64, generator=draw, requires_grad=True)
    teacher, queue = (torch.randn(n, 4, dtype=torch.float64, generator=draw) for n in (3, 5))
    assert torch.autograd.gradcheck(
        lambda own: seed_distillation(own, teacher, queue, 0.5, 0.2), student
    )


def test_other_shapes_are_refused() -> None:
    for student, teacher, queue in ((NOW, BEFORE[:, :1], QUEUE), (NOW, BEFORE, QUEUE[:, :1])):
        with pytest.raises(ShapeError):
            seed_distillation(student, teacher, queue, 1.0, 1.0)
    with pytest.raises(ValueError, match="temperature"):
        seed_distillation(NOW, BEFORE, QUEUE, 0.0, 1.0)
