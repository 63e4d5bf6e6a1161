from __future__ import annotations

import math

import pytest
import torch

from mtkd.errors import ShapeError
from mtkd.losses import listwise_ranking

SCORES = torch.tensor([2.0, 5.0, 0.0, 1.0, -1.0, 3.0, 0.5, 0.25], dtype=torch.float64)
RELEVANT = torch.tensor([True, False, False, True, False, True, False, True])
GROUPS = torch.tensor([7, 3, 7, 3, 7, 9, 4, 7])


def _by_hand() -> list[float]:
    losses = []
    for score, relevant, group in zip(SCORES, RELEVANT, GROUPS, strict=True):
        members = [i for i in range(8) if GROUPS[i] == group]
        ranked = len({bool(RELEVANT[i]) for i in members}) == 2
        total = sum(math.exp(SCORES[i]) for i in members)
        losses.append(-math.log(math.exp(score) / total) if relevant and ranked else 0.0)
    return losses


def test_it_is_a_softmax_over_the_candidates_of_each_question_apart() -> None:
    losses = listwise_ranking(SCORES, RELEVANT, GROUPS)
    assert losses.tolist() == pytest.approx(_by_hand(), abs=1e-12)


def test_two_candidates_of_equal_score_cost_the_log_of_two() -> None:
    losses = listwise_ranking(torch.zeros(2), torch.tensor([False, True]), torch.tensor([1, 1]))
    assert losses.tolist() == pytest.approx([0.0, math.log(2)])


def test_groups_that_rank_nothing_give_neither_loss_nor_gradient() -> None:
    """All relevant (group 1), none relevant (2), alone (3)."""
    scores = torch.randn(5, generator=torch.Generator().manual_seed(4)).requires_grad_(True)
    relevant = torch.tensor([True, True, False, False, True])
    losses = listwise_ranking(scores, relevant, torch.tensor([1, 1, 2, 2, 3]))
    losses.sum().backward()
    assert losses.tolist() == [0.0] * 5
    assert scores.grad is not None
    assert scores.grad.tolist() == [0.0] * 5


def test_irrelevant_rows_are_pushed_down_through_their_rivals_loss() -> None:
    scores = torch.zeros(3, requires_grad=True)
    relevant = torch.tensor([True, False, False])
    listwise_ranking(scores, relevant, torch.tensor([1, 1, 2])).sum().backward()
    assert scores.grad is not None
    assert scores.grad.tolist() == pytest.approx([-0.5, 0.5, 0.0])


def test_large_scores_stay_finite() -> None:
    scores = torch.tensor([-1e4, 1e4], requires_grad=True)
    losses = listwise_ranking(scores, torch.tensor([True, False]), torch.tensor([1, 1]))
    losses.sum().backward()
    assert losses.tolist() == pytest.approx([2e4, 0.0])
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_scores_as_a_column_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"scores: expected shape \(8,\)"):
        listwise_ranking(SCORES.unsqueeze(1), RELEVANT, GROUPS)
    with pytest.raises(ShapeError, match=r"groups: expected shape \(8,\)"):
        listwise_ranking(SCORES, RELEVANT, GROUPS.unsqueeze(1))


def test_int_labels_are_refused_since_their_inverse_is_no_mask() -> None:
    with pytest.raises(TypeError, match=r"relevant: expected bool, got torch\.int64"):
        listwise_ranking(SCORES, RELEVANT.long(), GROUPS)
