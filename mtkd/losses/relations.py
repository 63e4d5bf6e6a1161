"""How tokens relate to each other within one kind of attention's vectors (MiniLM v2)."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

from mtkd.errors import ShapeError
from mtkd.losses.checks import expect_shape
from mtkd.losses.precision import precise


def relations(student: Tensor, teacher: Tensor, mask: Tensor, relation_heads: int) -> Tensor:
    """KL(R_t || R_s), mean over relation heads, in nats, one value a query.

    R = softmax(A A^T / sqrt(d)), with A the queries, keys or values of all heads side by side, cut
    anew into `relation_heads` pieces of size d. So neither the widths of the two models need be
    the same nor their numbers of heads. The published loss sums over queries, keys and values.

    Args:
        student, teacher: (batch, tokens, width), each of its own width.
        mask: 1 for real tokens, (batch, tokens). Others count neither as keys nor as queries.
        relation_heads: divides both widths.

    Returns: (batch, tokens), 0 where the query is padding.
    Raises: ShapeError: when the shapes do not fit.
    Source: Wang et al. 2021 (MiniLMv2, arXiv 2012.15828), section 3.1.
    """
    if student.dim() != 3:
        raise ShapeError(f"student: expected (batch, tokens, width), got {tuple(student.shape)}")
    rows = tuple(student.shape[:2])
    expect_shape("teacher", teacher, (*rows, teacher.size(-1)), f"student {tuple(student.shape)}")
    expect_shape("mask", mask, rows, f"student {tuple(student.shape)}")
    real = mask.bool()
    own = _log_relations(student, real, relation_heads)
    wanted = _log_relations(teacher, real, relation_heads)
    # a product of 0 and -inf at keys that are padding would be NaN, and so would its derivative
    hidden = ~real[:, None, None, :]
    terms = wanted.exp() * (wanted - own).masked_fill(hidden, 0.0)
    return terms.sum(dim=3).mean(dim=1).masked_fill(~real, 0.0)


def _log_relations(vectors: Tensor, real: Tensor, heads: int) -> Tensor:
    """Return log R, (batch, heads, queries, keys), in float32 or better."""
    batch, tokens, width = vectors.shape
    if width % heads:
        raise ShapeError(f"relation_heads: {heads} does not divide a width of {width}")
    cut = precise(vectors).view(batch, tokens, heads, width // heads).transpose(1, 2)
    scores = cut @ cut.transpose(2, 3) / math.sqrt(width // heads)
    lowest = scores.new_full((), -1e30)  # not -inf: a row of padding alone would be NaN
    return F.log_softmax(scores.where(real[:, None, None, :], lowest), dim=3)
