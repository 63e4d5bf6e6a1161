"""Cross-entropy against gold labels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mtkd.losses.checks import expect_logits, expect_shape

NO_LABEL = -100  # what torch's cross_entropy ignores


def gold_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the gold label, -log softmax(logits)[label], in nats, one value a row.

    A row labelled `NO_LABEL` has loss NaN and gradient zero: `mix` leaves it out where the soft
    share is 1, and anywhere else the NaN shows that a label is missing, where torch's silent 0
    would not.

    Args:
        logits: (batch, classes).
        labels: class indices, int64, (batch,).

    Returns: (batch,).
    Raises: ShapeError: when the shapes do not fit.
    """
    expect_logits("logits", logits)
    expect_shape("labels", labels, (logits.size(0),), f"logits {tuple(logits.shape)}")
    losses = F.cross_entropy(logits, labels, ignore_index=NO_LABEL, reduction="none")
    return losses.masked_fill(labels == NO_LABEL, torch.nan)
