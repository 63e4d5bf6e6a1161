"""Groups of weights with their rates and decay, and the optimiser of MT-DNN (arXiv 1901.11504)."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor, nn

from mtkd.optim.adamax import DecoupledAdamax
from mtkd.recipe.training import TrainingSettings

_LAYER = re.compile(r"\.(?:layers?|albert_layers|h|blocks?)\.(\d+)\.")


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
    given = {"betas": settings.betas, "eps": settings.eps}
    own: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if settings.optimizer == "adamax":
        return DecoupledAdamax(groups, lr=settings.learning_rate, **own)
    for group in groups:  # AdamW's own decay is decoupled already
        group["weight_decay"] = group.pop("decoupled_decay")
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True, **own)


def _layer(name: str) -> int:
    found = _LAYER.search(f".{name}")
    return int(found.group(1)) if found and not _is_head(name) else -1


def _is_head(name: str) -> bool:
    return ".heads." in f".{name}"


def _steps_down(name: str, layers: int) -> int:
    if _is_head(name) or "pooler" in name:
        return 0
    layer = _layer(name)
    return layers - layer if layer >= 0 else layers + 1
