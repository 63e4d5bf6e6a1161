"""How far teachers differ, and what the ensemble gains by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtkd.inspection.agreement import mean_of_pairs
from mtkd.inspection.models import log_probabilities
from mtkd.inspection.stream import Chunk


@dataclass(frozen=True)
class Decomposition:
    """The ensemble's gain, exactly: error_of_mean = mean_error - ambiguity.

    The error is the Brier score; for regression the squared error. error_of_mean: that of the
    teachers' plain mean (of probabilities, of scores), whatever the store combines by.
    mean_error: mean over teachers of each one's. ambiguity: mean over teachers of the squared
    distance from their mean. All over rows with gold; NaN without any.
    Source: Krogh and Vedelsby 1995, equation 6.
    """

    error_of_mean: float
    mean_error: float
    ambiguity: float


class Decompositions:
    """Accumulates the three terms, chunk by chunk, each computed by itself."""

    def __init__(self) -> None:
        self._rows = 0
        self._sums = np.zeros(3)

    def add(self, chunk: Chunk) -> None:
        """Count these rows in."""
        known = np.isfinite(chunk.gold)
        outputs, gold = chunk.teachers[known], chunk.gold[known, None]
        classes = outputs.shape[2]
        target = gold if classes == 1 else (np.arange(classes) == gold).astype(np.float64)
        mean = outputs.mean(axis=1)
        teachers = outputs.shape[1]
        self._rows += len(gold)
        self._sums += [
            np.square(mean - target).sum(),
            np.square(outputs - target[:, None]).sum() / teachers,
            np.square(outputs - mean[:, None]).sum() / teachers,
        ]

    def result(self) -> Decomposition:
        """Return the terms, as means over rows."""
        return Decomposition(*(self._sums / (self._rows or np.nan)).tolist())


@dataclass(frozen=True)
class Divergence:
    """Between teachers' class probabilities, in nats, mean over all rows.

    kl: (teachers, teachers), KL(row's teacher || column's teacher); a probability of zero counts
    as 1.4e-45. mean_kl: over ordered pairs of different teachers, so both directions; NaN for one.
    """

    kl: NDArray[np.float64]
    mean_kl: float


class Divergences:
    """Accumulates pairwise KL divergence, chunk by chunk."""

    def __init__(self, teachers: int) -> None:
        self._rows = 0
        self._kl = np.zeros((teachers, teachers))

    def add(self, chunk: Chunk) -> None:
        """Count these rows in."""
        logs = log_probabilities(chunk.teachers)
        self._rows += len(logs)
        for i in range(len(self._kl)):
            # differences before sums: teachers that hardly differ keep their digits
            self._kl[i] += np.einsum(
                "rc,rkc->k", chunk.teachers[:, i], logs[:, i, None] - logs, optimize=False
            )

    def result(self) -> Divergence:
        """Return the divergences."""
        kl = self._kl / (self._rows or np.nan)
        return Divergence(kl, mean_of_pairs(kl))
