"""How a recipe has teachers combined: the keys that say so, and what is fitted for it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtkd.errors import StoreError
from mtkd.metrics import score, task_score
from mtkd.recipe import SoftLabels
from mtkd.soft_labels import StoreInfo
from mtkd.soft_labels.fit import LEAST, MOST, fit_temperature, fit_weights, weights_by_score
from mtkd.stages.unit import Run
from mtkd.task import Task

log = logging.getLogger(__name__)


def combination_settings(run: Run, task: str) -> dict[str, Any]:
    """Return the keys that shape a store, leaving out those at their defaults but temperature."""
    soft = run.recipe.soft_labels
    found: dict[str, Any] = {"soft_labels.temperature": soft.temperature}
    if soft.combine != "mean":
        found["soft_labels.combine"] = soft.combine
    if soft.combine == "dev_score":
        found["metrics"] = list(run.tasks[task].metrics)
    if soft.calibrate and run.tasks[task].kind == "classification":
        found["soft_labels.calibrate"] = True
    if soft.folds is not None and task not in soft.imported:
        found["soft_labels.folds"] = soft.folds
    return found


Rows = tuple[NDArray[np.float64], NDArray[np.float32]]  # gold, and logits of all teachers


def fitted(
    settings: SoftLabels, task: Task, info: StoreInfo, dev: Sequence[Rows], unseen: Sequence[Rows]
) -> StoreInfo:
    """Return a store's provenance with the combination, and what is fitted for it, filled in.

    Args: dev: of each dev split gold labels, (rows,), and logits, (rows, teachers, classes), for
        weights by dev score. unseen: the same of rows that teachers have not seen, for fitted
        temperatures and weights: dev, or train rows scored out of fold.
    Raises: StoreError: the combination needs such rows and there are none, or more teachers.
    """
    if settings.combine == "trimmed" and len(info.teachers) < 3:
        raise StoreError(f"{task.name}: soft_labels.combine=trimmed leaves out two teachers "
                         f"of each class, of {len(info.teachers)}; it needs 3 or more")  # fmt: skip
    info = dataclasses.replace(info, combine=settings.combine)
    calibrated = settings.calibrate and task.kind == "classification"
    if not calibrated and settings.combine not in {"dev_score", "fitted"}:
        return info
    if not dev:
        raise StoreError(f"{task.name}: soft_labels.combine={settings.combine} or calibrate is "
                         "fitted on dev, and there are no teachers' predictions for dev; use mean, "
                         "logits or trimmed without calibrate")  # fmt: skip
    gold = np.concatenate([part for part, _ in unseen])
    logits = np.concatenate([part for _, part in unseen])
    if calibrated:
        own = tuple(fit_temperature(logits[:, k], gold) for k in range(logits.shape[1]))
        info = dataclasses.replace(info, teacher_temperatures=own)
        logits = logits / np.asarray(own)[:, None]
        log.info("%s: fitted temperatures: %s", task.name, _by_teacher(info, own))
        if not all(LEAST < t < MOST for t in own):
            log.warning("%s: a temperature is at the limit of the search, %.2g or %.3g: a teacher "
                        "that knows nothing, or a split of rows all right; look at it with `mtkd "
                        "inspect`", task.name, LEAST, MOST)  # fmt: skip
    if settings.combine == "dev_score":
        weights = weights_by_score(np.array([
            np.mean([task_score(task, score(task, part[:, k], labels)) for labels, part in dev])
            for k in range(logits.shape[1])
        ]))  # fmt: skip
    elif settings.combine == "fitted":
        weights = fit_weights(logits, gold, regression=task.kind == "regression")
    else:
        return info
    log.info("%s: weights: %s", task.name, _by_teacher(info, weights))
    return dataclasses.replace(info, weights=weights)


def _by_teacher(info: StoreInfo, numbers: Sequence[float]) -> str:
    pairs = zip(info.teachers, numbers, strict=True)
    return ", ".join(f"{teacher.name} {number:.3f}" for teacher, number in pairs)
