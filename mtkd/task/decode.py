"""From logits to what they predict: a class, or a score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtkd.errors import Diverged, ShapeError
from mtkd.task.card import Task


def predictions(task: Task, logits: NDArray[np.floating]) -> NDArray[np.int64 | np.float64]:
    """Return what each row of `logits` predicts.

    A regression task's score is its one column: an argmax over it would be 0 for every row.

    Args: logits: (rows, task.num_outputs), raw.
    Returns: (rows,), class indices into task.labels (int64), or scores (float64).
    Raises: ShapeError: another shape. Diverged: a value that is NaN or infinite, whose argmax
        would be a class all the same.
    """
    if logits.ndim != 2 or logits.shape[1] != task.num_outputs:
        raise ShapeError(
            f"{task.name}: expected logits of shape (rows, {task.num_outputs}), one column for "
            f"each of {list(task.labels) or 'its score'}, got {logits.shape}"
        )
    broken = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if broken.size:
        raise Diverged(
            f"{task.name}: {broken.size} of {len(logits)} rows of logits are NaN or infinite, the "
            f"first is row {broken[0]}; the model has diverged: train it again with a lower "
            "learning rate"
        )
    if task.kind == "regression":
        return logits[:, 0].astype(np.float64)
    return logits.argmax(axis=1)
