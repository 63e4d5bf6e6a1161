"""Optimiser, weight decay and learning-rate schedule, as in MT-DNN (arXiv 1901.11504)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from mtkd.recipe.schema import TrainingSettings

_LAYER = re.compile(r"\.(?:layers?|albert_layers|h|blocks?)\.(\d+)\.")


class DecoupledAdamax(torch.optim.Adamax):
    """Adamax (Kingma and Ba 2015) with weight decay outside the gradient, as the paper's code.

    torch.optim.Adamax adds its `weight_decay` to the gradient as an L2 term. After the gradient
    is clipped to norm 1 that term outweighs it in most weights and wears a pretrained encoder
    down, without a crash and with a loss that still falls. Here each weight that has a gradient
    shrinks by lr * decay first, as in AdamW (Loshchilov and Hutter 2019).
    """

    def __init__(self, params: Iterable[dict[str, Any]], lr: float) -> None:
        super().__init__(params, lr=lr, weight_decay=0.0)
        # a hook, not a step() of its own: torch wraps each class's step, and would call the hooks
        # that others register once for this class and once for its parent
        self.register_step_pre_hook(_decay)


@torch.no_grad()
def _decay(optimizer: torch.optim.Optimizer, *_: object) -> None:
    for group in optimizer.param_groups:
        kept = 1.0 - float(group["lr"]) * group["decoupled_decay"]
        weights = [p for p in group["params"] if p.grad is not None]
        if kept != 1.0 and weights:
            torch._foreach_mul_(weights, kept)


def parameter_groups(model: nn.Module, settings: TrainingSettings) -> list[dict[str, Any]]:
    """Return groups with learning rate and decay: none on biases and LayerNorm weights.

    With `layer_decay` d < 1 the rate falls by d for each layer down from the heads: heads 1, last
    layer d, ..., embeddings d**(layers + 1) (BAM, Clark et al. 2019).
    """
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    layers = 1 + max((_layer(n) for n, _ in named), default=-1)
    groups: dict[tuple[int, bool], list[Tensor]] = {}
    for name, parameter in named:
        decayed = parameter.ndim > 1  # biases and LayerNorm weights are vectors
        groups.setdefault((_steps_down(name, layers), decayed), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": settings.learning_rate * settings.layer_decay**down,
            "full_lr": settings.learning_rate * settings.layer_decay**down,
            "decoupled_decay": settings.weight_decay if decayed else 0.0,
            "weight_decay": 0.0,
        }
        for (down, decayed), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]


def build_optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Return Adamax (the paper's) or AdamW, both with decoupled decay."""
    groups = parameter_groups(model, settings)
    if settings.optimizer == "adamax":
        return DecoupledAdamax(groups, lr=settings.learning_rate)
    for group in groups:  # AdamW's own decay is decoupled already
        group["weight_decay"] = group.pop("decoupled_decay")
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def learning_rate_factor(step: int, steps: int, settings: TrainingSettings) -> float:
    """Return the share of the learning rate at update `step` of `steps`, counted from 0.

    Linear warm-up over `warmup` of the steps, then linear to 0, half a cosine to 0, or constant.
    """
    warm = math.ceil(settings.warmup * steps)
    if step < warm:
        return (step + 1) / warm  # the first update already moves
    if settings.schedule == "constant":
        return 1.0
    done = (step - warm) / max(1, steps - warm)
    if settings.schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * done))
    return 1.0 - done


def set_learning_rates(
    optimizer: torch.optim.Optimizer, step: int, steps: int, settings: TrainingSettings
) -> float:
    """Set each group's rate for update `step` of `steps`; return the heads' rate.

    A function of the step alone, so a resumed run has no schedule to restore.
    """
    factor = learning_rate_factor(step, steps, settings)
    for group in optimizer.param_groups:
        group["lr"] = group["full_lr"] * factor
    return settings.learning_rate * factor


def _layer(name: str) -> int:
    found = _LAYER.search(f".{name}")
    return int(found.group(1)) if found and not name.startswith("heads.") else -1


def _steps_down(name: str, layers: int) -> int:
    if name.startswith("heads.") or "pooler" in name:
        return 0
    layer = _layer(name)
    return layers - layer if layer >= 0 else layers + 1
