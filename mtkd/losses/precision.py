"""The number format of sums: bf16 has too few digits for them."""

from __future__ import annotations

import torch
from torch import Tensor


def precise(tensor: Tensor) -> Tensor:
    """Return a tensor in float32, or in float64 where it is in that."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
