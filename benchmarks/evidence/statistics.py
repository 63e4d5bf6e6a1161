"""Intervals over seeds and rows, paired tests, and their correction over tasks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.evidence.weighted import METRICS, Array

DRAWS = 2000
_AT_ONCE = 250  # draws: a matrix of draws by rows lies in memory


@dataclasses.dataclass(frozen=True)
class Scored:
    """A task's rows as an arm's models predicted them, one model a seed.

    metrics: of the task, whose mean is its score. gold: (rows,). predicted: (seeds, rows), classes
    or scores, the rows in the order of gold.
    """

    metrics: tuple[str, ...]
    gold: Array
    predicted: Array

    def score(self, weights: Array) -> Array:
        """Return the task's score in per cent, (seeds, draws). Args: weights: (draws, rows)."""
        return np.stack([score(self.metrics, self.gold, own, weights) for own in self.predicted])

    @property
    def scores(self) -> Array:
        """Return the task's score in per cent by seed, (seeds,)."""
        return self.score(np.ones((1, len(self.gold))))[:, 0]


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean over seeds, or a difference of two, and its 95 % interval, in points."""

    mean: float
    low: float
    high: float

    def cell(self) -> str:
        """Return "mean [low, high]"."""
        return f"{self.mean:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"


def score(metrics: Sequence[str], gold: Array, predicted: Array, weights: Array) -> Array:
    """Return the mean of a task's metrics in per cent, (draws,)."""
    return 100 * np.mean([METRICS[name](gold, predicted, weights) for name in metrics], axis=0)


def differences(
    one: Mapping[str, Scored], other: Mapping[str, Scored], *, seed: int = 0, draws: int = DRAWS
) -> dict[str, Interval]:
    """Return how much better `one` is than `other` by task, and in the "mean" over tasks.

    A hierarchical bootstrap (Davison and Hinkley 1997, section 3.8): each draw takes seeds with
    replacement, then rows of each task, the same for both arms; of the differences the 2.5th and
    97.5th percentiles. Args: one, other: by task; both of the same seeds and rows, in one order.
    """
    rng = np.random.default_rng(seed)
    seeds = len(next(iter(one.values())).predicted)
    taken = rng.integers(seeds, size=(draws, seeds))
    found = {}
    for task, own in one.items():
        theirs, rows = other[task], len(own.gold)
        parts = []
        for start in range(0, draws, _AT_ONCE):
            some = taken[start : start + _AT_ONCE]
            weights = rng.multinomial(rows, np.full(rows, 1 / rows), size=len(some)).astype(float)
            gap = own.score(weights) - theirs.score(weights)
            parts.append(np.take_along_axis(gap, some.T, axis=0).mean(axis=0))
        found[task] = np.concatenate(parts)
    found["mean"] = np.mean([*found.values()], axis=0)
    means = {task: float(np.mean(own.scores - other[task].scores)) for task, own in one.items()}
    means["mean"] = float(np.mean([*means.values()]))
    return {task: Interval(means[task], *np.percentile(values, [2.5, 97.5]).tolist())
            for task, values in found.items()}  # fmt: skip


def permutation_test(one: Scored, other: Scored, *, seed: int = 0, draws: int = DRAWS) -> float:
    """Return the two-sided p of a task's mean difference over seeds, paired by row.

    If it does not matter which arm a prediction is from, the two may be exchanged in any row, in
    all seeds at once. What was found counts among the draws, so p is never 0.
    """
    rng = np.random.default_rng(seed)
    rows = len(one.gold)
    gold = np.concatenate([one.gold, one.gold])
    found = abs(float(np.mean(one.scores - other.scores)))
    beyond = 1
    for start in range(0, draws, _AT_ONCE):
        stays = rng.integers(2, size=(min(_AT_ONCE, draws - start), rows)).astype(float)
        first, second = np.hstack([stays, 1 - stays]), np.hstack([1 - stays, stays])
        gaps: NDArray[np.float64] = np.mean([
            score(one.metrics, gold, both, first) - score(one.metrics, gold, both, second)
            for both in np.hstack([one.predicted, other.predicted])
        ], axis=0)  # fmt: skip
        beyond += int(np.sum(np.abs(gaps) >= found - 1e-9))
    return beyond / (draws + 1)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p-values corrected for there being several (Holm 1979)."""
    order = sorted(p_values, key=lambda name: p_values[name])
    found, least = {}, 0.0
    for number, name in enumerate(order):
        least = max(least, min(1.0, (len(order) - number) * p_values[name]))
        found[name] = least
    return {name: found[name] for name in p_values}
