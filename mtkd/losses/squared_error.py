"""Squared error of a regression score, against gold scores or teachers' mean scores."""

from __future__ import annotations

import torch
from torch import Tensor

from mtkd.errors import ShapeError
from mtkd.losses.checks import expect_shape


def squared_error(scores: Tensor, targets: Tensor) -> Tensor:
    """(score - target)^2, in squared units of the target, one value a row.

    Shapes are checked because (batch, 1) - (batch,) broadcasts to (batch, batch), a loss that
    trains every row towards the mean of all targets.

    A row whose target is NaN (no gold label, no soft label) has loss NaN and gradient zero, so
    that `mix` can leave it out.

    Args:
        scores: the regression head's output, (batch, 1).
        targets: gold labels or teachers' scores, (batch,).

    Returns: (batch,).
    Raises: ShapeError: when the shapes do not fit.
    Source: Liu et al. 2019 (MT-DNN, arXiv 1901.11504), text similarity.
    """
    if scores.dim() != 2 or scores.size(1) != 1:
        raise ShapeError(
            f"scores: expected (batch, 1), a regression head's output, got {tuple(scores.shape)}; "
            "for class logits use gold_cross_entropy or soft_cross_entropy"
        )
    expect_shape("targets", targets, (scores.size(0),), f"scores {tuple(scores.shape)}")
    missing = targets.isnan()
    # Masked before it is squared: the derivative of a square at NaN would be NaN, and 0 * NaN too.
    difference = (scores.squeeze(1) - targets).masked_fill(missing, 0.0)
    return difference.square().masked_fill(missing, torch.nan)
