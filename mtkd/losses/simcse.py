"""A text's two embeddings, by two draws of dropout, against those of the other texts of a batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mtkd.losses.checks import expect_states, expect_temperature
from mtkd.losses.similarities import unit


def simcse(one: Tensor, two: Tensor, temperature: float) -> Tensor:
    """-log softmax_j(cos(z_i, z+_j) / T) at j = i, in nats, one value a text.

    The others of the batch are its negatives, so it depends on which texts share one.

    Args: one, two: z and z+, embeddings of the same texts, (texts, width). temperature: T > 0.
    Returns: (texts,).
    Raises: ShapeError: when the shapes differ. ValueError: when T is not above 0.
    Source: Gao et al. 2021 (SimCSE, arXiv 2104.08821), equation 4; T = 0.05 there.
    """
    expect_states("one", one)
    expect_states("two", two, like=one)
    expect_temperature(temperature)
    cosines = unit(one) @ unit(two).T
    return F.cross_entropy(cosines / temperature, torch.arange(len(one), device=one.device),
                           reduction="none")  # fmt: skip
