"""Squared distance between a student's and a teacher's attention scores."""

from __future__ import annotations

from torch import Tensor

from mtkd.errors import ShapeError
from mtkd.losses.checks import expect_shape
from mtkd.losses.precision import precise


def attention_mse(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """(a_s - a_t)^2, mean over heads and pairs of real tokens, in squared units, one value a row.

    Of scores before the softmax: TinyBERT found them to converge faster than probabilities, and
    where padding is hidden by a large negative number, that number is no score.

    Args:
        student, teacher: scores Q K^T / sqrt(size), (batch, heads, queries, keys).
        mask: 1 for real tokens, (batch, tokens).

    Returns: (batch,).
    Raises: ShapeError: when the shapes do not fit.
    Source: Jiao et al. 2020 (TinyBERT, arXiv 1909.10351), equation 7.
    """
    if student.dim() != 4 or student.size(2) != student.size(3):
        raise ShapeError("student: expected scores (batch, heads, tokens, tokens), got "
                         f"{tuple(student.shape)}")  # fmt: skip
    shape = tuple(student.shape)
    expect_shape("teacher", teacher, shape, f"student {shape}")
    expect_shape("mask", mask, (shape[0], shape[2]), f"student {shape}")
    real = mask.bool()
    pairs = (real.unsqueeze(2) & real.unsqueeze(1)).unsqueeze(1)
    # masked before it is squared: the derivative of a square at infinity would be NaN
    apart = (precise(student) - precise(teacher)).masked_fill(~pairs, 0.0)
    return apart.square().sum(dim=(1, 2, 3)) / (shape[1] * pairs.sum(dim=(1, 2, 3)))
