"""Checkpointing changes what is remembered, and no gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mtkd.errors import EncoderError
from mtkd.training.checkpointing import can_checkpoint, set_checkpointing
from mtkd.training.memory.need import saved_bytes
from tests.training.memory.made_up import forward_of, made_up_model, made_up_task

TASK = made_up_task([30] * 6 + [12] * 2)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_gradients_with_dropout_are_the_same_with_and_without(precision):
    gradients = []
    for on in (False, True):
        model = made_up_model(dropout=0.2).train()
        set_checkpointing(model, on)
        torch.manual_seed(8)
        forward_of(model, precision)(TASK, np.arange(8)).backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    without, with_ = gradients
    assert without.keys() == with_.keys()
    for name, gradient in without.items():
        torch.testing.assert_close(with_[name], gradient, rtol=0, atol=1e-6, msg=name)
        assert gradient.abs().max() > 0 or "key.bias" in name


def test_less_is_remembered_and_off_is_as_before():
    model = made_up_model(layers=6).train()
    sizes = []
    for on in (False, True, False):
        set_checkpointing(model, on)
        sizes.append(saved_bytes(model, forward_of(model), TASK, np.arange(8))[0])
    assert sizes[1] < sizes[0] / 4
    assert sizes[2] == sizes[0]


def test_an_encoder_without_it_is_refused_by_the_key(monkeypatch):
    model = made_up_model()
    monkeypatch.setattr(type(model.encoder), "supports_gradient_checkpointing", False)
    assert not can_checkpoint(model)
    set_checkpointing(model, False)
    with pytest.raises(EncoderError, match=r"training\.gradient_checkpointing: a bert encoder"):
        set_checkpointing(model, True)
