from __future__ import annotations

import torch

from mtkd.heads import LinearHead, pool

from .conftest import HIDDEN_SIZE, EncoderOutput


def test_logits_are_w_x_plus_b_of_the_pooled_sequence(pairs: EncoderOutput) -> None:
    for pooling in ("first", "mean"):
        head = LinearHead(HIDDEN_SIZE, 3, 0.1, pooling).double().eval()
        x = pool(pairs.hidden, pairs.pooled, pairs.mask, pooling)
        expected = x @ head.linear.weight.T + head.linear.bias
        torch.testing.assert_close(head(*pairs.args()), expected)


def test_one_output_is_an_unbounded_score_of_shape_batch_by_one(pairs: EncoderOutput) -> None:
    head = LinearHead(HIDDEN_SIZE, 1, 0.0, "mean").double()
    with torch.no_grad():
        head.linear.weight.fill_(1e4)
    scores = head(*pairs.args())
    assert scores.shape == (3, 1)
    assert scores.abs().max() > 100


def test_dropout_acts_in_training_only(pairs: EncoderOutput) -> None:
    head = LinearHead(HIDDEN_SIZE, 2, 0.5, "first").double()
    assert not torch.equal(head(*pairs.args()), head(*pairs.args()))
    head.eval()
    assert torch.equal(head(*pairs.args()), head(*pairs.args()))


def test_pads_change_nothing(pairs: EncoderOutput) -> None:
    head = LinearHead(HIDDEN_SIZE, 2, 0.1, "mean").double().eval()
    torch.testing.assert_close(head(*pairs.padded(3).args()), head(*pairs.args()))
