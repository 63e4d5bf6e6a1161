from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mtkd.heads import SanHead

from .conftest import HIDDEN_SIZE, EncoderOutput


def _softmax(scores: list[float]) -> list[float]:
    exps = [math.exp(score) for score in scores]
    return [value / sum(exps) for value in exps]


def _step_scores(head: SanHead, premise: list[Tensor], hypothesis: list[Tensor]) -> list[Tensor]:
    """The raw scores of each step for one example, token by token as the formulas stand."""
    weights = {name: value.detach() for name, value in head.named_parameters()}
    w1, w2 = weights["summary.weight"][0], weights["attention.weight"]
    w3, bias = weights["classifier.weight"], weights["classifier.bias"]

    a = _softmax([float(w1 @ token) for token in hypothesis])
    s = sum(share * token for share, token in zip(a, hypothesis, strict=True))
    scores = []
    for _ in range(head.steps):
        b = _softmax([float(s @ w2 @ token) for token in premise])
        x = sum(share * token for share, token in zip(b, premise, strict=True))
        scores.append(w3 @ torch.cat([s, x, (s - x).abs(), s * x]) + bias)
        from_x = weights["gru.weight_ih"] @ x + weights["gru.bias_ih"]
        from_s = weights["gru.weight_hh"] @ s + weights["gru.bias_hh"]
        (xr, xz, xn), (sr, sz, sn) = from_x.chunk(3), from_s.chunk(3)
        reset, update = torch.sigmoid(xr + sr), torch.sigmoid(xz + sz)
        s = (1 - update) * torch.tanh(xn + reset * sn) + update * s
    return scores


def _texts(output: EncoderOutput, row: int) -> tuple[list[Tensor], list[Tensor]]:
    tokens = list(zip(output.segments[row].tolist(), output.hidden[row], strict=True))
    return [t for s, t in tokens if s == 1], [t for s, t in tokens if s == 2]


def _head(outputs: int, **options: float) -> SanHead:
    """A head with weights large enough for attention and steps to differ."""
    head = SanHead(HIDDEN_SIZE, outputs, 0.1, **options).double().eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_(0.0, 0.7)
    return head


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_softmax_of_the_output_is_the_mean_of_the_steps_probabilities(
    pairs: EncoderOutput, steps: int
) -> None:
    head = _head(3, steps=steps)
    probs = head(*pairs.args()).softmax(-1)
    for row in range(3):
        by_step = [score.softmax(-1) for score in _step_scores(head, *_texts(pairs, row))]
        torch.testing.assert_close(probs[row], sum(by_step) / steps)


def test_output_is_a_log_probability_and_not_a_mean_of_logits(pairs: EncoderOutput) -> None:
    head = _head(3)
    logits = head(*pairs.args())
    total = logits.exp().sum(-1)
    torch.testing.assert_close(total, torch.ones(3, dtype=torch.float64))
    by_step = torch.stack(_step_scores(head, *_texts(pairs, 0)))
    assert (logits[0].softmax(-1) - by_step.mean(0).softmax(-1)).abs().max() > 1e-3


def test_regression_is_the_mean_of_the_steps_raw_scores(pairs: EncoderOutput) -> None:
    head = _head(1)
    scores = head(*pairs.args())
    assert scores.shape == (3, 1)
    for row in range(3):
        by_step = torch.stack(_step_scores(head, *_texts(pairs, row)))
        torch.testing.assert_close(scores[row], by_step.mean(0))


def test_pads_change_nothing(pairs: EncoderOutput) -> None:
    head = _head(3)
    torch.testing.assert_close(head(*pairs.padded(4).args()), head(*pairs.args()))


def test_special_tokens_get_no_attention(pairs: EncoderOutput) -> None:
    head = _head(3)
    hidden = pairs.hidden.clone()
    hidden[pairs.segments == 0] = 50.0
    other = replace(pairs, hidden=hidden)
    assert torch.equal(head(*other.args()), head(*pairs.args()))


def test_the_second_text_is_the_hypothesis(pairs: EncoderOutput) -> None:
    head = _head(3)
    swapped = replace(pairs, segments=(3 - pairs.segments) % 3)
    assert not torch.allclose(head(*swapped.args()), head(*pairs.args()))


def test_rows_do_not_see_each_other(pairs: EncoderOutput) -> None:
    head = _head(3)
    together = head(*pairs.args())
    for row in range(3):
        alone = [tensor[row : row + 1] for tensor in (pairs.hidden, pairs.mask, pairs.segments)]
        torch.testing.assert_close(head(alone[0], None, *alone[1:])[0], together[row])


@pytest.mark.parametrize("emptied", [1, 2])
def test_an_empty_text_reads_as_zero_and_pads_still_change_nothing(
    pairs: EncoderOutput, emptied: int
) -> None:
    head = _head(3)
    pairs.hidden.requires_grad_(True)
    segments = pairs.segments.masked_fill(pairs.segments == emptied, 0)
    short = replace(pairs, segments=segments)
    with torch.autograd.set_detect_anomaly(True):
        logits = head(*short.args())
        logits.sum().backward()
    assert logits.isfinite().all()
    torch.testing.assert_close(head(*short.padded(4).args()), logits)
    assert pairs.hidden.grad is not None
    assert pairs.hidden.grad.isfinite().all()


@pytest.mark.parametrize("outputs", [1, 3])
def test_every_parameter_gets_a_gradient(pairs: EncoderOutput, outputs: int) -> None:
    head = _head(outputs).train()
    (head(*pairs.args())[:, 0] ** 2).sum().backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 1e-9, name  # a bias that cancels leaves 1e-17


def test_certain_steps_give_a_finite_log() -> None:
    head = SanHead(HIDDEN_SIZE, 2, 0.0)
    certain = torch.tensor([[[500.0, -500.0]] * 5])  # probability of class 1: 0 in float32
    logits = head.eval()._mean(certain)
    torch.testing.assert_close(logits, torch.tensor([[0.0, -1000.0]]))


def test_steps_are_dropped_whole_and_the_mean_is_over_those_that_stay() -> None:
    """With step k certain of class k, each row's output is a uniform mean over the kept steps."""
    head = SanHead(HIDDEN_SIZE, 4, 0.0, steps=4, step_dropout=0.5).train()
    certain = (torch.eye(4, dtype=torch.float64) * 200).expand(2000, 4, 4)
    probs = head._mean(certain).exp()
    torch.testing.assert_close(probs.sum(-1), torch.ones(2000, dtype=torch.float64))
    kept = probs > 1e-6
    counts = kept.sum(-1)
    expected = kept / counts.unsqueeze(-1)
    torch.testing.assert_close(probs, expected.double())
    assert set(counts.tolist()) == {1, 2, 3, 4}  # at least one stays, and rows differ
    # One of four is sure to stay, the other three with probability 0.5: 1 + 3 * 0.5 on average.
    assert counts.double().mean().item() == pytest.approx(2.5, abs=0.1)
    assert kept.double().mean(0).tolist() == pytest.approx([0.625] * 4, abs=0.05)


def test_dropping_steps_does_not_shrink_regression_scores() -> None:
    head = SanHead(HIDDEN_SIZE, 1, 0.0, step_dropout=0.5).train()
    torch.testing.assert_close(head._mean(torch.full((50, 5, 1), 3.0)), torch.full((50, 1), 3.0))


def test_nothing_is_dropped_in_evaluation(pairs: EncoderOutput) -> None:
    head = _head(3, step_dropout=0.9)
    assert torch.equal(head(*pairs.args()), head(*pairs.args()))
    head.dropout.p = 0.0
    head.train()
    assert not torch.equal(head(*pairs.args()), head(*pairs.args()))


def test_mixed_precision_stays_close(pairs: EncoderOutput) -> None:
    head = _head(3).float()
    args = (pairs.hidden.float(), None, pairs.mask, pairs.segments)
    exact = head(*args)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = head(*args)
    torch.testing.assert_close(rough.float(), exact, atol=0.1, rtol=0.1)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="steps >= 1, got 0"):
        SanHead(HIDDEN_SIZE, 2, 0.0, steps=0)
    with pytest.raises(ValueError, match=r"0 <= step_dropout < 1, got 1\.0"):
        SanHead(HIDDEN_SIZE, 2, 0.0, step_dropout=1.0)
