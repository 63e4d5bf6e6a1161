"""How good each teacher's and the ensemble's scores are, in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtkd.inspection.models import model_outputs
from mtkd.inspection.moments import Moments
from mtkd.inspection.stream import Chunk


@dataclass(frozen=True)
class RegressionScores:
    """One model's scores. NaN where no row has what it needs.

    pearson: with gold; NaN where either never varies. mse: mean squared error against gold. mean,
    deviation (standard, population), lowest, highest: of the scores, over all rows.
    """

    name: str
    pearson: float
    mse: float
    mean: float
    deviation: float
    lowest: float
    highest: float


class RegressionQuality:
    """Accumulates a regression store's scores, chunk by chunk."""

    def __init__(self, models: int) -> None:
        self._all = Moments(models)
        self._with_gold = Moments(models + 1)
        self._squared = np.zeros(models)

    def add(self, chunk: Chunk) -> None:
        """Count these rows in."""
        scores = model_outputs(chunk)[:, :, 0]
        self._all.add(scores)
        known = np.isfinite(chunk.gold)
        scores, gold = scores[known], chunk.gold[known, None]
        self._with_gold.add(np.concatenate([scores, gold], axis=1))
        self._squared += np.square(scores - gold).sum(axis=0)

    def result(self, names: tuple[str, ...]) -> tuple[RegressionScores, ...]:
        """Return each model's scores."""
        every = self._all
        mean = every.mean if every.rows else np.full(len(names), np.nan)
        columns = [
            self._with_gold.pearson()[:-1, -1],
            self._squared / (self._with_gold.rows or np.nan),
            mean,
            every.deviation(),
            every.lowest,
            every.highest,
        ]
        values = np.stack(columns, axis=1).tolist()
        return tuple(RegressionScores(name, *row) for name, row in zip(names, values, strict=True))
