"""A watch for tasks that learn nothing, which no loss would show: heads that stay as they were."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from mtkd.errors import RecipeError, RunFailed
from mtkd.recipe import TrainingSettings
from mtkd.sharding import gathered, whole
from mtkd.training.goal import Trained

log = logging.getLogger(__name__)

Prints = dict[str, dict[str, str]]  # SHA-256 of each weight, by task and name


def check_weights(tasks: Collection[str], settings: TrainingSettings, title: str) -> None:
    """Refuse a training in which no task counts.

    Raises: RecipeError.
    """
    if all(settings.task_weights.get(name, 1.0) == 0 for name in tasks):
        raise RecipeError(
            f"{title}: training.task_weights: {', '.join(tasks)} are all that is trained here, and "
            "weigh 0, so nothing would be learnt; set weights of 0 only where other tasks are "
            "trained beside, as in student.training.task_weights"
        )


def head_prints(model: Trained) -> Prints:
    """Return what tells whether a head's weights have changed; all processes call this."""
    parts = {task: whole(dict(p.named_parameters())) for task, p in model.watched.items()}
    return {task: {name: _sha256(t) for name, t in own.items()} for task, own in parts.items()}


def check_heads(
    before: Prints,
    model: Trained,
    optimizer: torch.optim.Optimizer,
    updates: Mapping[str, int],
    settings: TrainingSettings,
    title: str,
) -> None:
    """Say which heads no gradient has moved since the start; all processes call this.

    A head that weight decay alone has moved counts as one that stayed.

    Args: before: `head_prints` at the start. updates: those that each task has had.
    Raises: RunFailed: none has moved.
    """
    now = head_prints(model)
    idle = [name for name in before if settings.task_weights.get(name, 1.0) == 0]
    for name in idle:
        log.info("%s: the head of %s learns nothing, as training.task_weights.%s is 0",
                 title, name, name)  # fmt: skip
    watched = [name for name in before if name not in idle and updates.get(name, 0)]
    still = [n for n in watched if not _has_moved(n, before[n], now[n], model, optimizer)]
    for name in still:
        log.warning(
            "%s: the head of %s is as it was at the start, after %d updates with "
            "training.learning_rate=%g: it learns nothing. Is the rate too small to change a "
            "float32, or is there nothing to learn: labels all alike (`mtkd inspect` shows soft "
            "ones), no word masked?",
            title, name, updates[name], settings.learning_rate,
        )  # fmt: skip
    if still and still == watched:
        raise RunFailed(
            f"{title}: after {sum(updates.values())} updates no head has moved "
            f"({', '.join(still)}), so nothing is learnt; training.learning_rate is "
            f"{settings.learning_rate:g}: raise it, or look at the labels, and run again"
        )


def _has_moved(
    task: str,
    before: Mapping[str, str],
    now: Mapping[str, str],
    model: Trained,
    optimizer: torch.optim.Optimizer,
) -> bool:
    moved = False
    for name, parameter in model.watched[task].named_parameters():
        momentum = optimizer.state.get(parameter, {}).get("exp_avg")
        # not in one expression with `moved`: of a sharded weight all processes have to look
        learnt = momentum is None or bool(gathered(momentum).any())
        moved |= learnt and before.get(name) != now[name]
    return moved


def _sha256(tensor: Tensor) -> str:
    values = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    return hashlib.sha256(values.numpy().data).hexdigest()
