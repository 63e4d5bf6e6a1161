"""What a model that has learnt nothing would say, and how to notice one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtkd.task import Task
from mtkd.task.decode import predictions

_ROUNDING = 1e-6  # relative; the same float32 score comes out a little different in another batch


def majority(task: Task, train_gold: Sequence[float] | NDArray, rows: int) -> NDArray[np.float32]:
    """Return logits that say the same of every row: the best guess without reading it.

    Args: train_gold: gold labels of the train set, class indices or scores; at least one.
    Returns: (rows, task.num_outputs): 1 for the most frequent class of train (of equally frequent
        ones, the first in the order of labels) and 0 elsewhere; for regression the mean score.
    """
    if task.kind == "regression":
        return np.full((rows, 1), np.mean(train_gold), dtype=np.float32)
    counts = np.bincount(np.asarray(train_gold, dtype=np.int64), minlength=task.num_outputs)
    logits = np.zeros((rows, task.num_outputs), dtype=np.float32)
    logits[:, counts.argmax()] = 1
    return logits


def is_constant(task: Task, logits: NDArray[np.floating]) -> bool:
    """Return whether two or more rows all get one class, or one score up to float32 rounding.

    Raises: ShapeError, Diverged: as `predictions`.
    """
    predicted = predictions(task, logits)
    if len(predicted) < 2:
        return False
    spread = np.ptp(predicted)
    if task.kind == "classification":
        return bool(spread == 0)
    return bool(spread <= _ROUNDING * max(1.0, float(np.abs(predicted).max())))
