"""Weights drawn as BERT's are give nearly the same output for every row of a tiny encoder."""

from __future__ import annotations

import torch
from torch import nn


def widen(model: nn.Module, factor: float = 6.0) -> None:
    """Blow up all matrices, so that mixed-up rows and pads that are read show in the logits."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter *= factor
