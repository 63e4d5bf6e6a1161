"""Means, variances and correlations in one pass, without losing digits to a large mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_AS_GOOD_AS_CONSTANT = 1e-13  # of the mean: what is left of a spread is rounding


class Moments:
    """Accumulates mean and scatter of columns, batch by batch.

    Source: Chan, Golub and LeVeque 1983, doi 10.1080/00031305.1983.10483115, equation 2.1.
    """

    def __init__(self, columns: int) -> None:
        self.rows = 0
        self.mean = np.zeros(columns)
        self.scatter = np.zeros((columns, columns))  # sum of products of deviations from the mean
        self.lowest = np.full(columns, np.nan)
        self.highest = np.full(columns, np.nan)

    def add(self, values: NDArray[np.float64]) -> None:
        """Count rows in. Args: values: (rows, columns), finite."""
        rows = len(values)
        if rows == 0:
            return
        mean = values.mean(axis=0)
        shift = mean - self.mean
        total = self.rows + rows
        deviations = values - mean
        self.scatter += deviations.T @ deviations
        self.scatter += np.outer(shift, shift) * (self.rows * rows / total)
        self.mean += shift * (rows / total)
        self.rows = total
        self.lowest = np.fmin(self.lowest, values.min(axis=0))
        self.highest = np.fmax(self.highest, values.max(axis=0))

    def deviation(self) -> NDArray[np.float64]:
        """Return each column's standard deviation (population); NaN without rows."""
        return np.sqrt(np.diag(self.scatter) / (self.rows or np.nan))

    def pearson(self) -> NDArray[np.float64]:
        """Return the columns' correlations, (columns, columns); NaN with one that never varies."""
        spread = np.sqrt(np.diag(self.scatter))
        noise = _AS_GOOD_AS_CONSTANT * np.abs(self.mean) * np.sqrt(self.rows)
        spread = np.where(spread > noise, spread, np.nan)
        return np.clip(self.scatter / np.outer(spread, spread), -1, 1)
