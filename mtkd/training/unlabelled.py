"""Rows without a gold label: which of them are trained on, and how much each counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtkd.recipe import Unlabelled


def trusted_rows(
    targets: NDArray[np.float32], classification: bool, settings: Unlabelled
) -> NDArray[np.int64]:
    """Return the rows whose soft label is sure enough, in their order.

    Of classification tasks: those whose largest probability is at least `settings.threshold`, and
    of each class at most the `max_per_class` surest (of equals the earlier). Without that a class
    which teachers prefer fills the student's batches. Of regression tasks: all.

    Args: targets: (rows, classes) probabilities, or (rows, 1) scores; NaN where a row has none.
    """
    known = np.isfinite(targets).all(axis=1)
    if not classification:
        return np.flatnonzero(known)
    confidence = np.where(known, targets.max(axis=1), -1.0)
    found = np.flatnonzero(known & (confidence >= settings.threshold))
    if settings.max_per_class is None:
        return found
    surest = found[np.argsort(-confidence[found], kind="stable")]
    classes = targets[surest].argmax(axis=1)
    kept = [surest[classes == c][: settings.max_per_class] for c in range(targets.shape[1])]
    return np.sort(np.concatenate(kept))


def row_weights(
    targets: NDArray[np.float32], classification: bool, settings: Unlabelled
) -> NDArray[np.float32]:
    """Return the weight of each row's loss, (rows,): a number, or the largest probability.

    Scores have no confidence: of regression tasks each row then weighs 1.
    """
    if settings.weight != "confidence":
        return np.full(len(targets), settings.weight, dtype=np.float32)
    if not classification:
        return np.ones(len(targets), dtype=np.float32)
    return np.nan_to_num(targets.max(axis=1)).astype(np.float32)
