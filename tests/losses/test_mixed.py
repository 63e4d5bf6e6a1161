from __future__ import annotations

import pytest
import torch

from mtkd.errors import ShapeError
from mtkd.losses import NO_LABEL, gold_cross_entropy, mix, soft_cross_entropy, squared_error

GOLD = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
SOFT = torch.tensor([5.0, 0.0, 1.0], dtype=torch.float64)
NAN, INF = torch.nan, torch.inf


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, [1.0, 2.0, 3.0]), (0.25, [2.0, 1.5, 2.5]), (1.0, [5.0, 0.0, 1.0])],
)
def test_the_share_is_that_of_the_soft_loss(share: float, expected: list[float]) -> None:
    assert mix(GOLD, SOFT, share).tolist() == pytest.approx(expected)
    assert mix(GOLD, SOFT, torch.full((3,), share)).tolist() == pytest.approx(expected)


def test_each_row_has_its_own_share() -> None:
    mixed = mix(GOLD, SOFT, torch.tensor([0.0, 0.5, 1.0]))
    assert mixed.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("missing", [NAN, INF])
def test_a_share_of_0_or_1_is_not_poisoned_by_the_other_loss(missing: float) -> None:
    gold = torch.tensor([1.0, missing, 3.0], requires_grad=True)
    soft = torch.tensor([missing, 2.0, 1.0], requires_grad=True)
    mixed = mix(gold, soft, torch.tensor([0.0, 1.0, 0.5]))
    assert mixed.tolist() == [1.0, 2.0, 2.0]
    mixed.sum().backward()
    assert gold.grad is not None
    assert soft.grad is not None
    assert gold.grad.tolist() == [1.0, 0.0, 0.5]
    assert soft.grad.tolist() == [0.0, 1.0, 0.5]
    assert mix(torch.ones(2), torch.full((2,), missing), 0.0).tolist() == [1.0, 1.0]


def test_a_missing_label_that_has_a_share_shows() -> None:
    assert mix(torch.tensor([1.0]), torch.tensor([NAN]), 0.5).isnan().all()


def test_missing_labels_leave_the_models_gradient_clean_for_classes() -> None:
    logits = torch.tensor([[1.0, 0.0], [0.0, 2.0]], requires_grad=True)
    gold = gold_cross_entropy(logits, torch.tensor([0, NO_LABEL]))
    soft = soft_cross_entropy(logits, torch.tensor([[NAN, NAN], [0.3, 0.7]]), 1.0)
    mix(gold, soft, torch.tensor([0.0, 1.0])).sum().backward()
    target = torch.tensor([[1.0, 0.0], [0.3, 0.7]])
    torch.testing.assert_close(logits.grad, logits.detach().softmax(-1) - target)


def test_missing_labels_leave_the_models_gradient_clean_for_scores() -> None:
    scores = torch.tensor([[1.0], [2.0]], requires_grad=True)
    gold = squared_error(scores, torch.tensor([3.0, NAN]))
    soft = squared_error(scores, torch.tensor([NAN, 1.0]))
    mix(gold, soft, torch.tensor([0.0, 1.0])).sum().backward()
    assert scores.grad is not None
    assert scores.grad.tolist() == [[-4.0], [2.0]]


@pytest.mark.parametrize("gold_share", [0.0, 0.3, 1.0])
def test_mixing_losses_is_mixing_targets_for_classes(gold_share: float) -> None:
    """BAM: the target l * gold + (1 - l) * teacher, at temperature 1."""
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn(4, 3, dtype=torch.float64, generator=generator).requires_grad_(True)
    teacher = torch.randn(4, 3, dtype=torch.float64, generator=generator).softmax(-1)
    labels = torch.tensor([0, 2, 1, 2])
    gold, soft = gold_cross_entropy(logits, labels), soft_cross_entropy(logits, teacher, 1.0)
    (ours,) = torch.autograd.grad(mix(gold, soft, 1 - gold_share).sum(), logits)

    target = gold_share * torch.eye(3)[labels] + (1 - gold_share) * teacher
    loss = -(target * logits.log_softmax(-1)).sum()
    (bams,) = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(ours, bams)


@pytest.mark.parametrize("gold_share", [0.0, 0.3, 1.0])
def test_mixing_losses_is_mixing_targets_for_scores(gold_share: float) -> None:
    scores = torch.tensor([[1.0], [4.0]], dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([2.0, 5.0], dtype=torch.float64)
    teacher = torch.tensor([1.5, 1.0], dtype=torch.float64)
    mixed = mix(squared_error(scores, labels), squared_error(scores, teacher), 1 - gold_share)
    (ours,) = torch.autograd.grad(mixed.sum(), scores)

    target = gold_share * labels + (1 - gold_share) * teacher
    (bams,) = torch.autograd.grad(((scores[:, 0] - target) ** 2).sum(), scores)
    torch.testing.assert_close(ours, bams)


@pytest.mark.parametrize("shape", [(3, 1), (1,), (2,), ()])
def test_losses_and_shares_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    other = torch.full(shape, 0.5, dtype=torch.float64)
    with pytest.raises(ShapeError, match=r"soft: expected shape \(3,\)"):
        mix(GOLD, other, 0.5)
    with pytest.raises(ShapeError, match=r"soft_share: expected shape \(3,\)"):
        mix(GOLD, SOFT, other)
    with pytest.raises(ShapeError, match=r"(gold|soft): expected shape"):
        mix(other, SOFT, 0.5)


@pytest.mark.parametrize("share", [-0.1, 1.1, NAN])
def test_a_share_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"soft_share: expected a number in \[0, 1\]"):
        mix(GOLD, SOFT, share)
