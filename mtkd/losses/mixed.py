"""Gold loss and soft loss in one."""

from __future__ import annotations

import torch
from torch import Tensor

from mtkd.losses.checks import expect_shape


def mix(gold: Tensor, soft: Tensor, soft_share: float | Tensor) -> Tensor:
    """(1 - share) * gold + share * soft, in the unit of the two, one value a row.

    A share of 0 takes the gold loss alone and a share of 1 the soft loss alone, whatever the other
    is, so a row without a soft label (share 0) or without a gold label (share 1) may hold NaN
    there. Gradients stay clean too, given losses whose own gradient at a missing target is zero,
    as those of this package are.

    At T = 1 the gradient is that of one loss against the mixed target
    (1 - share) * gold label + share * teacher, for cross-entropy and squared error alike: BAM's
    teacher annealing is this with a share that falls from 1 to 0.

    Args:
        gold: losses against gold labels, (batch,).
        soft: losses against soft labels, (batch,).
        soft_share: share of the soft loss, in [0, 1]; one number, or one a row, (batch,). The range
            of a tensor is not checked: that would make a GPU wait.

    Returns: (batch,).
    Raises: ShapeError: when the shapes differ. ValueError: when a number is outside [0, 1].
    Source: Liu et al. 2019 (MT-DNN_KD, arXiv 1904.09482), section 3, share 0.5; Clark et al. 2019
        (BAM, arXiv 1907.04829), section 3.
    """
    rows = (gold.size(0) if gold.dim() else 1,)
    expect_shape("gold", gold, rows, "one loss a row")
    expect_shape("soft", soft, rows, f"gold {rows}")
    if isinstance(soft_share, Tensor):
        expect_shape("soft_share", soft_share, rows, f"gold {rows}")
        share = soft_share.to(gold.dtype)
    elif 0 <= soft_share <= 1:
        share = torch.full_like(gold, soft_share, requires_grad=False)
    else:
        raise ValueError(f"soft_share: expected a number in [0, 1], got {soft_share}")
    mixed = (1 - share) * gold + share * soft
    return torch.where(share == 0, gold, torch.where(share == 1, soft, mixed))
