from __future__ import annotations

import pytest
import torch

from mtkd.errors import ShapeError
from mtkd.losses import similarity_distillation
from mtkd.losses.similarities import cross_entropy_of, unit

NOW = torch.tensor([[1.0, 0], [0, 1], [1, 1]], dtype=torch.float64)
BEFORE = torch.tensor([[1.0, 0], [1, 1], [0, 1]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("now", "own", "other", "expected"),
    [(NOW, 1.0, 1.0, 0.773987), (NOW, 0.05, 0.01, 7.302117), (NOW, 0.2, 0.01, 2.017967),
     (BEFORE, 1.0, 1.0, 0.653947), (BEFORE, 0.2, 0.01, 0.2502)],
)  # fmt: skip
def test_known_values(now: torch.Tensor, own: float, other: float, expected: float) -> None:
    loss, _ = similarity_distillation(now, BEFORE, own, other)
    assert loss.mean().item() == pytest.approx(expected, abs=1e-5)


def test_with_itself_among_its_neighbours_the_value_would_be_another() -> None:
    """The published trap: at a low temperature such a row is next to one-hot."""
    whole = [unit(vectors) @ unit(vectors).T for vectors in (NOW, BEFORE)]
    found = cross_entropy_of(*whole).mean().item()
    assert found == pytest.approx(1.118541, abs=1e-5)


def test_a_student_as_before_has_no_gradient_and_no_divergence_at_equal_temperatures() -> None:
    own = BEFORE.clone().requires_grad_()
    loss, divergence = similarity_distillation(own, BEFORE, 0.3, 0.3)
    loss.sum().backward()
    torch.testing.assert_close(divergence, torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(own.grad, torch.zeros_like(own))


def test_at_other_temperatures_it_has_one() -> None:
    own = BEFORE.clone().requires_grad_()
    loss, divergence = similarity_distillation(own, BEFORE, 0.2, 0.01)
    loss.sum().backward()
    assert own.grad.abs().max() > 1e-3
    assert (divergence > 0).any()
    assert (divergence <= loss).all()


def test_of_two_texts_each_has_one_neighbour_and_the_loss_is_zero() -> None:
    loss, divergence = similarity_distillation(NOW[:2], BEFORE[:2], 0.05, 0.01)
    assert loss.tolist() == divergence.tolist() == [0.0, 0.0]


def test_gradients_by_finite_differences_and_widths_may_differ() -> None:
    draw = torch.Generator().manual_seed(2)
    student = torch.randn(4, 3, dtype=torch.float64, generator=draw, requires_grad=True)
    teacher = torch.randn(4, 5, dtype=torch.float64, generator=draw)
    assert torch.autograd.gradcheck(
        lambda own: similarity_distillation(own, teacher, 0.5, 0.2), student
    )


def test_a_text_alone_and_other_numbers_of_texts_are_refused() -> None:
    for now, before in ((NOW[:1], BEFORE[:1]), (NOW, BEFORE[:2])):
        with pytest.raises(ShapeError, match="the same 2 texts or more"):
            similarity_distillation(now, before, 1.0, 1.0)
    with pytest.raises(ValueError, match="temperature"):
        similarity_distillation(NOW, BEFORE, 1.0, -1.0)
