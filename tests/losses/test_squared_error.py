from __future__ import annotations

import pytest
import torch

from mtkd.errors import ShapeError
from mtkd.losses import squared_error


def test_it_is_the_square_of_each_rows_own_difference() -> None:
    losses = squared_error(torch.tensor([[1.0], [2.0], [-1.0]]), torch.tensor([4.0, 2.0, 1.0]))
    assert losses.tolist() == [9.0, 0.0, 4.0]


@pytest.mark.parametrize(
    ("scores", "targets"), [((4,), (4,)), ((4, 1), (4, 1)), ((4, 1), (1,)), ((4, 5), (4,))]
)
def test_shapes_that_would_broadcast_are_refused(
    scores: tuple[int, ...], targets: tuple[int, ...]
) -> None:
    with pytest.raises(ShapeError, match="expected"):
        squared_error(torch.zeros(scores), torch.zeros(targets))


def test_a_row_without_a_target_is_nan_and_trains_nothing() -> None:
    scores = torch.tensor([[1.0], [2.0]], requires_grad=True)
    losses = squared_error(scores, torch.tensor([torch.nan, 5.0]))
    assert losses.isnan().tolist() == [True, False]
    losses.sum().backward()
    assert scores.grad is not None
    assert scores.grad.tolist() == [[0.0], [-6.0]]
