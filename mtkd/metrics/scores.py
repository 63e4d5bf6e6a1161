"""The score of one split: gold labels that can be scored at all, then the task's metrics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtkd.errors import DataError, ShapeError
from mtkd.task import Task
from mtkd.task.decode import predictions

_NEED_TWO_CLASSES = {"f1", "matthews"}


def score(
    task: Task,
    logits: NDArray[np.floating],
    gold: Sequence[float | None] | NDArray,
    split: str = "dev",
) -> dict[str, float]:
    """Return the task's metrics, in the order of its card.

    Args: logits: (rows, task.num_outputs), raw. gold: (rows,), class indices or scores, in the
        order of the logits. split: named in errors.
    Returns: metric -> value, a fraction in [-1, 1]. A prediction that never varies has
        correlation 0.
    Raises: DataError: as `check_gold`. ShapeError: shapes that do not fit; nothing is broadcast.
        Diverged: logits that are NaN or infinite.
    """
    from mtkd.metrics.glue_metric import GlueMetric  # seconds to import

    predicted = predictions(task, logits)
    references = check_gold(task, split, gold)
    if len(predicted) != len(references):
        raise ShapeError(
            f"{task.name}/{split}: {len(predicted)} rows of logits for {len(references)} gold "
            "labels; join them by guid before they are scored"
        )
    return GlueMetric(task).compute(predictions=predicted, references=references)


def check_gold(
    task: Task, split: str, gold: Sequence[float | None] | NDArray
) -> NDArray[np.int64 | np.float64]:
    """Return gold labels as an array that the task's metrics can score.

    Args: gold: class indices into task.labels, or scores; None, NaN or -1 (a class) is unknown.
    Returns: (rows,), int64 classes or float64 scores.
    Raises: DataError: no rows, unknown labels, or labels of one kind only where a metric needs
        two (F1, Matthews and both correlations). ShapeError: not one label a row.
    """
    where = f"{task.name}/{split}"
    values = np.asarray([np.nan if label is None else label for label in gold], dtype=np.float64)
    if values.ndim != 1:
        raise ShapeError(f"{where}: expected gold labels of shape (rows,), got {values.shape}")
    if values.size == 0:
        raise DataError(f"{where}: no rows to score; give the split rows, or leave the task out")
    known = np.isfinite(values)
    if task.kind == "classification":
        known &= np.isin(values, np.arange(task.num_outputs))
    if not known.all():
        raise DataError(
            f"{where}: {np.sum(~known)} of {values.size} rows have no gold label, the first is "
            f"row {np.flatnonzero(~known)[0]} (from 0); score a split that is labelled throughout"
        )
    if needing := _metrics_needing_more(task, values):
        found = f"{values[0]:g}" if task.kind == "regression" else task.labels[int(values[0])]
        raise DataError(
            f"{where}: {' and '.join(needing)} cannot be computed, as all {values.size} gold "
            f"labels are '{found}'; give the split rows with other labels (is data.max_rows too "
            "small?)"
        )
    return values if task.kind == "regression" else values.astype(np.int64)


def _metrics_needing_more(task: Task, values: NDArray[np.float64]) -> list[str]:
    """Return the metrics that gold labels as uniform as these leave undefined."""
    if np.ptp(values) > 0:
        return []
    return [m for m in task.metrics if task.kind == "regression" or m in _NEED_TWO_CLASSES]
