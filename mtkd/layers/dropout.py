"""Dropout whose random numbers cost a seventh on a CPU.

torch draws one number of 32 bits or more for each element, on one thread, which is a fifth of a
small encoder's training step. Whether an element is kept needs one number of 16 bits: four of them
come out of each 64-bit draw.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LEVELS = 1 << 16


def dropout(values: Tensor, p: float) -> Tensor:
    """Set each element to 0 with probability `p`, and multiply the others by 1 / (1 - p).

    On a CPU `p` is rounded to a multiple of 2**-16 (the expectation stays exact); numbers come from
    torch's own generator, so `torch.manual_seed` fixes them and checkpointing repeats them. On
    other devices, and in a compiled model, it is torch's.

    Args: values: any shape, floating point. p: in [0, 1).
    Returns: a new tensor of the same shape and type.
    Source: Srivastava et al. 2014.
    """
    if values.device.type != "cpu" or torch.compiler.is_compiling():
        return F.dropout(values, p)
    kept = round((1 - p) * _LEVELS)
    if kept == _LEVELS:
        return values.clone()
    return _Dropout.apply(values, kept)


class BitDropout(nn.Dropout):
    """`nn.Dropout` by `dropout`."""

    def forward(self, input: Tensor) -> Tensor:
        """Drop in training, pass through in evaluation."""
        return dropout(input, self.p) if self.training and self.p > 0 else input


def use_fast_dropout(module: nn.Module) -> None:
    """Put a `BitDropout` in place of each `nn.Dropout` within `module`; no weight is touched."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Dropout and not child.inplace and child.p < 1:
                setattr(parent, name, BitDropout(child.p).train(child.training))


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, kept: int) -> Tensor:
        mask = _mask(values.shape, kept)
        ctx.save_for_backward(mask)
        ctx.scale = _LEVELS / kept
        return _apply(values, mask, ctx.scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return _apply(gradients[0], mask, ctx.scale), None


def _mask(shape: torch.Size, kept: int) -> Tensor:
    """Return int16: -1 (all bits set) with probability kept / 2**16, else 0."""
    count = math.prod(shape)
    draws = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    bits = draws.view(torch.int16)[:count].view(shape)
    threshold = kept - _LEVELS // 2
    return bits.clamp_(threshold - 1, threshold).sub_(threshold)


def _apply(values: Tensor, mask: Tensor, scale: float) -> Tensor:
    if values.dtype in (torch.bfloat16, torch.float16):  # three times as fast as a product
        kept = values.contiguous().view(torch.int16) & mask
        return kept.view(values.dtype).mul_(scale)
    return (values * mask).mul_(-scale)
