from __future__ import annotations

import pytest
import torch

from mtkd.heads import RankingHead, pool
from mtkd.losses import listwise_ranking

from .conftest import HIDDEN_SIZE, EncoderOutput


@pytest.mark.parametrize("positive", [0, 1])
def test_the_score_stands_in_the_positive_column_and_0_in_the_other(
    pairs: EncoderOutput, positive: int
) -> None:
    head = RankingHead(HIDDEN_SIZE, 0.1, "mean", positive).double().eval()
    logits = head(*pairs.args())
    x = pool(pairs.hidden, pairs.pooled, pairs.mask, "mean")
    torch.testing.assert_close(logits[:, positive], x @ head.relevance.weight[0])
    assert torch.equal(logits[:, 1 - positive], torch.zeros(3, dtype=torch.float64))


def test_the_positive_probability_is_the_sigmoid_of_the_score(pairs: EncoderOutput) -> None:
    head = RankingHead(HIDDEN_SIZE, 0.0, "first", positive=1).double()
    logits = head(*pairs.args())
    torch.testing.assert_close(logits.softmax(-1)[:, 1], logits[:, 1].sigmoid())


def test_ranking_within_a_question_trains_every_parameter(pairs: EncoderOutput) -> None:
    head = RankingHead(HIDDEN_SIZE, 0.0, "mean", positive=0).double()
    relevant, groups = torch.tensor([True, False, False]), torch.zeros(3, dtype=torch.long)
    listwise_ranking(head(*pairs.args())[:, 0], relevant, groups).sum().backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 1e-9, name  # a bias that cancels leaves 1e-17


def test_ranking_needs_two_classes_and_a_positive_one() -> None:
    with pytest.raises(ValueError, match=r"2 classes, got outputs=3"):
        RankingHead(HIDDEN_SIZE, 0.0, "first", positive=1, outputs=3)
    with pytest.raises(ValueError, match=r"positive=0 or 1.*got 2"):
        RankingHead(HIDDEN_SIZE, 0.0, "first", positive=2)
