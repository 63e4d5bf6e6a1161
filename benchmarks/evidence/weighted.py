"""The tasks' metrics under many weightings of their rows at once.

A weight is how often a row counts. A bootstrap's draw is such a weighting, and so is an exchange of
two models' predictions, if both stand one below the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def accuracy(gold: Array, predicted: Array, weights: Array) -> Array:
    """Return the share of right rows, (draws,).

    Args: gold, predicted: (rows,), and weights: (draws, rows), as for all metrics.
    """
    return weights @ (gold == predicted) / weights.sum(axis=1)


def f1(gold: Array, predicted: Array, weights: Array) -> Array:
    """Return F1 of class 1; 0 where there is neither such a row nor such a prediction."""
    both = weights @ ((gold == 1) & (predicted == 1))
    one = weights @ (gold == 1) + weights @ (predicted == 1)
    return np.divide(2 * both, one, out=np.zeros_like(one), where=one > 0)


def matthews(gold: Array, predicted: Array, weights: Array) -> Array:
    """Return Matthews' correlation of two classes: Pearson's."""
    return pearson(gold, predicted, weights)


def pearson(gold: Array, predicted: Array, weights: Array) -> Array:
    """Return Pearson's correlation; 0 where either never varies."""
    return _correlation(gold[None], predicted[None], weights)


def spearman(gold: Array, predicted: Array, weights: Array) -> Array:
    """Return Spearman's correlation, with mean ranks for ties; 0 where either never varies."""
    return _correlation(_ranks(gold, weights), _ranks(predicted, weights), weights)


METRICS: Mapping[str, Callable[[Array, Array, Array], Array]] = {
    "accuracy": accuracy,
    "f1": f1,
    "matthews": matthews,
    "pearson": pearson,
    "spearman": spearman,
}


def _correlation(x: Array, y: Array, weights: Array) -> Array:
    """Return Pearson's correlation of x and y, (draws or 1, rows)."""
    total = weights.sum(axis=1, keepdims=True)
    x = x - (weights * x).sum(axis=1, keepdims=True) / total
    y = y - (weights * y).sum(axis=1, keepdims=True) / total
    spread = (weights * x**2).sum(axis=1) * (weights * y**2).sum(axis=1)
    together = (weights * x * y).sum(axis=1)
    moves = spread > 1e-12 * total[:, 0] ** 2
    return np.divide(together, np.sqrt(spread), out=np.zeros_like(together), where=moves)


def _ranks(values: Array, weights: Array) -> Array:
    """Return mean ranks among the rows as often as they count, (draws, rows)."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    counts = np.add.reduceat(weights[:, order], starts, axis=1)
    mean_ranks = np.cumsum(counts, axis=1) - counts / 2 + 0.5
    return mean_ranks[:, group]
