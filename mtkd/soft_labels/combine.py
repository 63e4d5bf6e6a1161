"""From several teachers' logits to one soft label a row."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from mtkd.errors import ShapeError
from mtkd.soft_labels.info import StoreInfo
from mtkd.task import Task

_LITTLE = 0.05  # of the probability left between the lowest and highest teacher of each class


def teacher_targets(info: StoreInfo, logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return each teacher's own soft labels.

    Args: logits: (rows, teachers, classes), raw; for regression (rows, teachers, 1), scores.
    Returns: the same shape: softmax(logits / (T x the teacher's fitted temperature)), or the
        scores.
    """
    expected = (len(info.teachers), info.outputs)
    if logits.ndim != 3 or logits.shape[1:] != expected:
        raise ShapeError(f"{info.task}: expected logits (rows, {expected[0]} teachers, "
                         f"{expected[1]} classes), got {logits.shape}")  # fmt: skip
    exact = logits.astype(np.float64)
    return scipy.special.softmax(_scaled(info, exact), axis=2) if info.labels else exact


def combine(info: StoreInfo, logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return soft labels: what the teachers say together, as `info.combine` has it.

    mean: the mean of probabilities, or of scores (Liu et al. 2019, arXiv 1904.09482, section 3, at
    T = 1). dev_score: the same, weighted. trimmed: without each class's highest and lowest teacher,
    summing to 1 again (where that leaves less than a twentieth, the mean). logits:
    softmax of the mean of logits / T, a geometric mean. fitted: softmax of the sum of logits / T
    with weights of sum 1, a log-linear pool (Genest and Zidek 1986).

    Args: logits: (rows, teachers, classes), raw.
    Returns: (rows, classes) probabilities, or (rows, 1) scores.
    Raises: ShapeError: not one column a teacher, or not one a class.
    """
    targets = teacher_targets(info, logits)
    weights = np.asarray(info.weights if info.weights is not None else (), dtype=np.float64)
    if info.combine == "mean" or (info.combine == "logits" and not info.labels):
        found = targets.mean(axis=1)
    elif info.combine == "logits":
        found = scipy.special.softmax(_scaled(info, logits.astype(np.float64)).mean(axis=1), axis=1)
    elif info.combine == "trimmed":
        found = _trimmed(targets) if info.labels else np.sort(targets, axis=1)[:, 1:-1].mean(axis=1)
    elif info.combine == "dev_score" or not info.labels:
        found = np.einsum("k,nkc->nc", weights, targets)
    else:
        pooled = np.einsum("k,nkc->nc", weights, _scaled(info, logits.astype(np.float64)))
        found = scipy.special.softmax(pooled, axis=1)
    return found.astype(np.float32)


def _trimmed(targets: NDArray[np.float64]) -> NDArray[np.float64]:
    inner = np.sort(targets, axis=1)[:, 1:-1].mean(axis=1)
    sums = inner.sum(axis=1, keepdims=True)
    return np.where(sums > _LITTLE, inner / np.maximum(sums, _LITTLE), targets.mean(axis=1))


def as_logits(task: Task, targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return logits whose softmax is `targets`, so that an ensemble is scored like a model."""
    if task.kind == "regression":
        return targets
    return scipy.special.log_softmax(np.log(np.maximum(targets, 1e-30)), axis=1).astype(np.float32)


def _scaled(info: StoreInfo, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    own = info.teacher_temperatures or (1.0,) * len(info.teachers)
    return logits / (info.temperature * np.asarray(own)[:, None])
