"""The learning rate as a function of the update's number alone."""

from __future__ import annotations

import math

import torch

from mtkd.recipe.training import TrainingSettings


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
