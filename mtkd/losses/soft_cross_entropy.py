"""Cross-entropy against soft labels: the soft loss of MT-DNN_KD."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mtkd.losses.checks import expect_logits, expect_shape, expect_temperature


def soft_cross_entropy(logits: Tensor, probs: Tensor, temperature: float) -> Tensor:
    """-sum_c Q_c log softmax(logits / T)_c, times T^2, in nats, one value a row.

    Q are probabilities, used as they are; a second softmax would flatten them. It is the KL
    divergence plus the entropy of Q, times T^2, so the gradient is that of `kd_kl_divergence`, but
    the value is not 0 when the student equals the teacher. The factor T^2 keeps the gradient's
    size when T changes.

    A row whose probabilities are NaN (no soft label) has loss NaN and gradient zero, so that `mix`
    can leave it out. Whether rows sum to 1 is not looked at here, since that would make a GPU
    wait in each step; `mtkd.soft_labels` does, when it reads a store.

    Args:
        logits: the student's, (batch, classes).
        probs: soft labels Q, made at the same temperature, (batch, classes).
        temperature: T > 0.

    Returns: (batch,).
    Raises: ShapeError: when the shapes do not fit. ValueError: when T is not above 0.
    Source: Liu et al. 2019 (MT-DNN_KD, arXiv 1904.09482), section 3, where T = 1; T^2 from Hinton
        et al. 2015 (arXiv 1503.02531), section 2.
    """
    expect_logits("logits", logits)
    expect_shape("probs", probs, tuple(logits.shape), f"logits {tuple(logits.shape)}")
    expect_temperature(temperature)
    missing = probs.isnan().any(dim=-1)
    # Masked before the product: the derivative with respect to the logits would be NaN as well.
    known = probs.masked_fill(missing.unsqueeze(-1), 0.0)
    losses = -(known * F.log_softmax(logits / temperature, dim=-1)).sum(dim=-1) * temperature**2
    return losses.masked_fill(missing, torch.nan)
