from __future__ import annotations

import math

import pytest
import torch

from mtkd.errors import ShapeError
from mtkd.losses import NO_LABEL, gold_cross_entropy


def test_it_is_the_negative_log_probability_of_the_label_row_by_row() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0], [math.log(2), 0.0, 0.0]], dtype=torch.float64)
    losses = gold_cross_entropy(logits, torch.tensor([1, 0]))
    assert losses.tolist() == pytest.approx([math.log(3), math.log(2)], abs=1e-12)


def test_a_row_without_a_label_is_nan_and_trains_nothing() -> None:
    logits = torch.tensor([[1.0, 2.0], [1.0, 2.0]], requires_grad=True)
    losses = gold_cross_entropy(logits, torch.tensor([NO_LABEL, 0]))
    assert losses.isnan().tolist() == [True, False]
    losses.sum().backward()
    assert logits.grad is not None
    assert logits.grad[0].tolist() == [0.0, 0.0]
    assert logits.grad[1].abs().min() > 0.1


def test_a_regression_head_is_refused_since_its_loss_would_be_0() -> None:
    with pytest.raises(ShapeError, match=r"2 classes or more, got \(4, 1\)"):
        gold_cross_entropy(torch.zeros(4, 1), torch.zeros(4, dtype=torch.long))


@pytest.mark.parametrize("shape", [(4, 1), (3,), (4, 2)])
def test_labels_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"labels: expected shape \(4,\)"):
        gold_cross_entropy(torch.zeros(4, 2), torch.zeros(shape, dtype=torch.long))
