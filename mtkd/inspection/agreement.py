"""How often teachers say the same: pairwise agreement, Cohen's kappa, correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtkd.inspection.moments import Moments
from mtkd.inspection.stream import Chunk


@dataclass(frozen=True)
class ClassAgreement:
    """Between teachers, as (teachers, teachers) matrices in the store's order of teachers.

    share: rows of which both hold the same class most probable. kappa: Cohen's, that share
    beyond what chance gives two with their shares of classes; NaN where both always say one
    class. mean_share, mean_kappa: over the pairs for which it is defined, NaN without any.
    """

    share: NDArray[np.float64]
    kappa: NDArray[np.float64]
    mean_share: float
    mean_kappa: float


@dataclass(frozen=True)
class ScoreAgreement:
    """Between teachers of a regression task, in the store's order of teachers.

    pearson: (teachers, teachers), NaN where a teacher's scores never vary. mean_pearson: over the
    pairs for which it is defined. mean_deviation: standard deviation over teachers (population),
    mean over rows, in units of the score. largest_deviation: of any row.
    """

    pearson: NDArray[np.float64]
    mean_pearson: float
    mean_deviation: float
    largest_deviation: float


class ClassAgreements:
    """Accumulates what classes teachers agree on, chunk by chunk.

    Kappa's chance agreement needs only how often each teacher says each class, so that nothing
    grows with the square of the classes.
    Source: Cohen 1960, doi 10.1177/001316446002000104.
    """

    def __init__(self, teachers: int, classes: int) -> None:
        self._rows = 0
        self._same = np.zeros((teachers, teachers))
        self._says = np.zeros((teachers, classes))

    def add(self, chunk: Chunk) -> None:
        """Count these rows in."""
        said = chunk.teachers.argmax(axis=2)
        self._rows += len(said)
        for i, own in enumerate(said.T):
            self._same[i] += (said == own[:, None]).sum(axis=0)
            self._says[i] += np.bincount(own, minlength=self._says.shape[1])

    def result(self) -> ClassAgreement:
        """Return shares and kappas."""
        rows = self._rows or np.nan
        share, says = self._same / rows, self._says / rows
        beyond = 1 - says @ says.T
        kappa = np.full_like(share, np.nan)
        np.divide(share - says @ says.T, beyond, out=kappa, where=beyond > 1e-12)
        return ClassAgreement(share, kappa, mean_of_pairs(share), mean_of_pairs(kappa))


class ScoreAgreements:
    """Accumulates how teachers' scores go together, chunk by chunk."""

    def __init__(self, teachers: int) -> None:
        self._moments = Moments(teachers)
        self._deviation = 0.0
        self._largest = np.nan

    def add(self, chunk: Chunk) -> None:
        """Count these rows in."""
        scores = chunk.teachers[:, :, 0]
        self._moments.add(scores)
        deviation = scores.std(axis=1)
        self._deviation += float(deviation.sum())
        self._largest = float(np.fmax(self._largest, deviation.max(initial=0)))

    def result(self) -> ScoreAgreement:
        """Return correlations and deviations."""
        pearson = self._moments.pearson()
        mean = self._deviation / (self._moments.rows or np.nan)
        return ScoreAgreement(pearson, mean_of_pairs(pearson), mean, self._largest)


def mean_of_pairs(matrix: NDArray[np.float64]) -> float:
    """Return the mean over ordered pairs of two different ones; NaN ones are left out."""
    pairs = matrix[~np.eye(len(matrix), dtype=bool)]
    pairs = pairs[np.isfinite(pairs)]
    return float(pairs.mean()) if pairs.size else float("nan")
