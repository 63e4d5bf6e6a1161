from __future__ import annotations

import pytest
import torch

from mtkd.errors import ShapeError
from mtkd.losses import cosine_distance


def test_known_values() -> None:
    student = torch.tensor([[1.0, 0], [1, 1], [3, 4]], dtype=torch.float64)
    teacher = torch.tensor([[0.0, 1], [1, 1], [4, 3]], dtype=torch.float64)
    losses = cosine_distance(student, teacher)
    assert losses.tolist() == pytest.approx([1.0, 0.0, 0.04], abs=1e-5)
    assert losses.mean().item() == pytest.approx(0.346667, abs=1e-5)


def test_it_does_not_depend_on_lengths_and_is_two_for_opposites() -> None:
    vectors = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(cosine_distance(3 * vectors, vectors).abs().max().item(), 0.0)
    torch.testing.assert_close(
        cosine_distance(-vectors, vectors), torch.full((5,), 2.0, dtype=torch.float64)
    )


def test_gradients_by_finite_differences() -> None:
    draw = torch.Generator().manual_seed(2)
    student = torch.randn(3, 4, dtype=torch.float64, generator=draw, requires_grad=True)
    teacher = torch.randn(3, 4, dtype=torch.float64, generator=draw)
    assert torch.autograd.gradcheck(lambda s: cosine_distance(s, teacher), student)


@pytest.mark.parametrize("shape", [(3, 5), (1, 4), (3, 2, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError):
        cosine_distance(torch.zeros(3, 4), torch.zeros(shape))
