from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtkd.errors import ShapeError
from mtkd.losses import gold_cross_entropy, soft_cross_entropy


def _tensor(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_an_even_label_against_even_logits_is_the_log_of_two() -> None:
    losses = soft_cross_entropy(_tensor([0.0, 0.0]), _tensor([0.5, 0.5]), 1.0)
    assert losses.tolist() == pytest.approx([0.693147], abs=1e-5)


def test_probabilities_are_used_as_they_are_without_a_second_softmax() -> None:
    """A one-hot soft label is a gold label."""
    logits = _tensor([1.0, 2.0, 0.0], [0.3, -1.0, 2.0])
    one_hot = _tensor([0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    expected = gold_cross_entropy(logits, torch.tensor([2, 0]))
    torch.testing.assert_close(soft_cross_entropy(logits, one_hot, 1.0), expected)


def test_classes_are_summed_and_rows_kept_apart() -> None:
    """Twice as many classes, the same even beliefs over the same two: the same loss."""
    two = soft_cross_entropy(_tensor([0.0, 0.0]), _tensor([0.5, 0.5]), 1.0)
    four = soft_cross_entropy(_tensor([0.0, 0.0, -1e4, -1e4]), _tensor([0.5, 0.5, 0.0, 0.0]), 1.0)
    torch.testing.assert_close(four, two)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 10.0])
def test_the_gradient_is_t_times_the_difference_of_probabilities(temperature: float) -> None:
    logits = _tensor([1.0, 2.0, 0.0], [0.5, -0.5, 3.0]).requires_grad_(True)
    probs = _tensor([0.7, 0.2, 0.1], [0.0, 0.4, 0.6])
    soft_cross_entropy(logits, probs, temperature).sum().backward()
    expected = temperature * ((logits.detach() / temperature).softmax(-1) - probs)
    torch.testing.assert_close(logits.grad, expected)


def test_averaging_probabilities_is_not_averaging_logits() -> None:
    """The loss is linear in Q, so an ensemble's loss is the mean of its members' losses."""
    logits = _tensor([0.4, -0.2, 1.0])
    teachers = [_tensor([6.0, 0.0, 0.0]), _tensor([0.0, 1.0, 0.0])]
    by_teacher = [soft_cross_entropy(logits, teacher.softmax(-1), 1.0) for teacher in teachers]
    expected = (by_teacher[0] + by_teacher[1]) / 2
    mean_probs = (teachers[0].softmax(-1) + teachers[1].softmax(-1)) / 2
    mean_logits = ((teachers[0] + teachers[1]) / 2).softmax(-1)
    torch.testing.assert_close(soft_cross_entropy(logits, mean_probs, 1.0), expected)
    assert (soft_cross_entropy(logits, mean_logits, 1.0) - expected).abs().item() > 0.05


def test_large_logits_stay_finite() -> None:
    logits = _tensor([1e4, -1e4]).requires_grad_(True)
    losses = soft_cross_entropy(logits, _tensor([0.0, 1.0]), 1.0)
    losses.sum().backward()
    assert losses.item() == pytest.approx(2e4)
    assert logits.grad is not None
    assert logits.grad.tolist() == [[1.0, -1.0]]


def test_a_row_without_a_soft_label_is_nan_and_trains_nothing() -> None:
    logits = _tensor([1.0, 2.0], [1.0, 2.0]).requires_grad_(True)
    losses = soft_cross_entropy(logits, _tensor([torch.nan, torch.nan], [0.9, 0.1]), 2.0)
    assert losses.isnan().tolist() == [True, False]
    losses.sum().backward()
    assert logits.grad is not None
    assert logits.grad[0].tolist() == [0.0, 0.0]
    assert logits.grad[1].abs().min() > 0.1


@pytest.mark.parametrize("shape", [(4,), (4, 3), (1, 2), (3, 2)])
def test_soft_labels_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"probs: expected shape \(4, 2\)"):
        soft_cross_entropy(torch.zeros(4, 2), torch.zeros(shape), 1.0)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_not_above_0_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature: expected a number above 0"):
        soft_cross_entropy(torch.zeros(1, 2), torch.full((1, 2), 0.5), temperature)
