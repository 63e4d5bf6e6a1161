"""Clipping by the norm of all gradients together."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm


@torch.no_grad()
def clip_gradients(parameters: Iterable[Tensor], limit: float | None) -> Tensor:
    """Scale all gradients down so that their norm is at most `limit`; None leaves them.

    As `torch.nn.utils.clip_grad_norm_`, which knows no sparse gradients: of those it is the rows
    that were touched, each once, that count.

    Returns: the norm before, a scalar; nobody waits for it.
    """
    gradients = []
    for parameter in parameters:
        if parameter.grad is not None and parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
            gradients.append(parameter.grad._values())
        elif parameter.grad is not None:
            gradients.append(parameter.grad)
    norm = get_total_norm(gradients)
    if limit is not None:
        torch._foreach_mul_(gradients, (limit / (norm + 1e-6)).clamp(max=1.0))
    return norm
