"""Cosines between rows, and the cross-entropy between two models' distributions over them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mtkd.losses.precision import precise


def unit(vectors: Tensor) -> Tensor:
    """Return the direction of each row, (rows, width), in float32 or better."""
    return F.normalize(precise(vectors), dim=1)


def cross_entropy_of(student: Tensor, teacher: Tensor) -> Tensor:
    """-sum_j p_t(j) log p_s(j), in nats, one value a row; columns at -inf count in neither.

    Its least value is the teacher's entropy, not 0: see `entropy_of`.

    Args: student, teacher: logits, (rows, columns), at -inf in the same places.
    Returns: (rows,).
    """
    left_out = torch.isneginf(teacher)
    probabilities = teacher.softmax(dim=1)
    # a product of 0 and -inf would be NaN, and so would its derivative
    return -(probabilities * student.log_softmax(dim=1).masked_fill(left_out, 0.0)).sum(dim=1)


def entropy_of(logits: Tensor) -> Tensor:
    """Return the entropy of each row's softmax, in nats, (rows,)."""
    return cross_entropy_of(logits, logits)
