"""Adamax with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch


class DecoupledAdamax(torch.optim.Adamax):
    """Adamax (Kingma and Ba 2015) with weight decay outside the gradient, as the paper's code.

    torch.optim.Adamax adds its `weight_decay` to the gradient as an L2 term. After the gradient
    is clipped to norm 1 that term outweighs it in most weights and wears a pretrained encoder
    down, without a crash and with a loss that still falls. Here each weight that has a gradient
    shrinks by lr * decay first, as in AdamW (Loshchilov and Hutter 2019).
    """

    def __init__(self, params: Iterable[dict[str, Any]], lr: float, **options: Any) -> None:
        super().__init__(params, lr=lr, weight_decay=0.0, **options)
        # a hook, not a step() of its own: torch wraps each class's step, and would call the hooks
        # that others register once for this class and once for its parent
        self.register_step_pre_hook(_decay)


@torch.no_grad()
def _decay(optimizer: torch.optim.Optimizer, *_: object) -> None:
    for group in optimizer.param_groups:
        kept = 1.0 - float(group["lr"]) * group["decoupled_decay"]
        weights = [p for p in group["params"] if p.grad is not None and not p.grad.is_sparse]
        if kept != 1.0 and weights:
            torch._foreach_mul_(weights, kept)
