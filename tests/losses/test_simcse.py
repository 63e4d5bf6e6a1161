from __future__ import annotations

import pytest
import torch

from mtkd.errors import ShapeError
from mtkd.losses import simcse

TWO = torch.eye(2, dtype=torch.float64)
OTHER = torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("two", "temperature", "expected"),
    [(OTHER, 1.0, 0.442058), (OTHER, 0.05, 0.000168), (TWO, 1.0, 0.313262)],
)
def test_known_values(two: torch.Tensor, temperature: float, expected: float) -> None:
    assert simcse(TWO, two, temperature).mean().item() == pytest.approx(expected, abs=1e-6)


def test_lengths_do_not_matter_and_a_text_alone_costs_nothing() -> None:
    torch.testing.assert_close(simcse(3 * TWO, OTHER / 7, 0.3), simcse(TWO, OTHER, 0.3))
    assert simcse(TWO[:1], OTHER[1:], 0.05).tolist() == [0.0]


def test_gradients_by_finite_differences_reach_both() -> None:
    draw = torch.Generator().manual_seed(2)
    pair = [torch.randn(4, 3, dtype=torch.float64, generator=draw, requires_grad=True)
            for _ in range(2)]  # fmt: skip
    assert torch.autograd.gradcheck(lambda one, two: simcse(one, two, 0.5), pair)


@pytest.mark.parametrize("shape", [(3, 2), (2, 3), (2,)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError):
        simcse(TWO, torch.zeros(shape), 1.0)
    with pytest.raises(ValueError, match="temperature"):
        simcse(TWO, OTHER, 0.0)
