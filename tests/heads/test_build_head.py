from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from mtkd.heads import HEAD_TYPES, build_head

from .conftest import HIDDEN_SIZE, EncoderOutput


def _build(type: str, **changes: Any) -> nn.Module:
    settings: dict[str, Any] = {
        "hidden_size": HIDDEN_SIZE,
        "outputs": 2,
        "dropout": 0.1,
        "pooling": "mean",
        "steps": 3,
        "step_dropout": 0.1,
        "positive": 1,
    }
    return build_head(type, **(settings | changes))


@pytest.mark.parametrize("type", HEAD_TYPES)
def test_every_type_gives_logits_of_the_task(type: str, pairs: EncoderOutput) -> None:
    assert _build(type).double()(*pairs.args()).shape == (3, 2)


@pytest.mark.parametrize("type", ["linear", "san"])
def test_one_output_gives_a_regression_head(type: str, pairs: EncoderOutput) -> None:
    head = _build(type, outputs=1, positive=None).double()
    assert head(*pairs.args()).shape == (3, 1)


@pytest.mark.parametrize("type", HEAD_TYPES)
def test_the_same_seed_gives_the_same_weights(type: str) -> None:
    torch.manual_seed(3)
    first = _build(type).state_dict()
    torch.manual_seed(3)
    second = _build(type).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("type", HEAD_TYPES)
def test_linear_layers_start_as_berts_do(type: str) -> None:
    head = _build(type, hidden_size=256)
    layers = [layer for layer in head.modules() if isinstance(layer, nn.Linear)]
    assert layers
    for layer in layers:
        spread = layer.weight.std().item()
        assert spread == pytest.approx(0.02, rel=0.15)
        assert layer.bias is None or not layer.bias.any()


@pytest.mark.parametrize("type", HEAD_TYPES)
def test_every_parameter_of_every_type_is_trained(type: str, pairs: EncoderOutput) -> None:
    head = _build(type, dropout=0.0).double()
    (head(*pairs.args())[:, 1] ** 2).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in head.parameters())


@pytest.mark.parametrize(
    ("type", "changes", "message"),
    [
        ("sann", {}, "did you mean 'san'"),
        ("linear", {"outputs": 0}, "outputs >= 1"),
        ("linear", {"outputs": -1}, "outputs >= 1"),
        ("ranking", {"outputs": 3}, "2 classes, got outputs=3"),
        ("ranking", {"outputs": 1}, "2 classes, got outputs=1"),
        ("ranking", {"positive": None}, "needs positive"),
    ],
)
def test_impossible_combinations_are_refused(
    type: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _build(type, **changes)
