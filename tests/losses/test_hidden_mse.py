from __future__ import annotations

import pytest
import torch

from mtkd.errors import ShapeError
from mtkd.losses import hidden_mse


def test_known_value_through_a_projection() -> None:
    student = torch.tensor([[1.0, 2]], dtype=torch.float64)
    projection = torch.tensor([[1.0, 0, 1], [0, 2, 0]], dtype=torch.float64)
    teacher = torch.tensor([[0.0, 4, 1]], dtype=torch.float64)
    losses = hidden_mse(student @ projection, teacher)
    assert losses.tolist() == pytest.approx([0.333333], abs=1e-5)


def test_gradients_by_finite_differences() -> None:
    draw = torch.Generator().manual_seed(2)
    student = torch.randn(3, 4, dtype=torch.float64, generator=draw, requires_grad=True)
    projection = torch.randn(4, 5, dtype=torch.float64, generator=draw, requires_grad=True)
    teacher = torch.randn(3, 5, dtype=torch.float64, generator=draw)
    assert torch.autograd.gradcheck(lambda s, w: hidden_mse(s @ w, teacher), (student, projection))


def test_sums_are_in_float32_whatever_comes_in() -> None:
    student, teacher = torch.full((1, 4096), 1.0), torch.zeros(1, 4096)
    losses = hidden_mse(student.bfloat16(), teacher.bfloat16())
    assert losses.dtype == torch.float32
    assert losses.item() == 1.0


@pytest.mark.parametrize("shape", [(3, 5), (1, 4), (3, 2, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError):
        hidden_mse(torch.zeros(3, 4), torch.zeros(shape))
