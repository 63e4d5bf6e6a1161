"""How often each class occurs: in gold, in soft labels, in what the ensemble would decide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtkd.inspection.stream import Chunk


@dataclass(frozen=True)
class ClassBalance:
    """One class's shares, 0 to 1; NaN without rows.

    gold: of the rows with gold. soft: mean soft label. decided: rows where it is the ensemble's
    most probable class.
    """

    label: str
    gold: float
    soft: float
    decided: float


class ClassBalances:
    """Accumulates class shares, chunk by chunk."""

    def __init__(self, classes: int) -> None:
        self.rows = 0
        self.rows_with_gold = 0
        self._sums = np.zeros((3, classes))

    def add(self, chunk: Chunk) -> None:
        """Count these rows in."""
        classes = self._sums.shape[1]
        gold = chunk.gold[np.isfinite(chunk.gold)].astype(np.int64)
        self.rows += len(chunk.gold)
        self.rows_with_gold += len(gold)
        self._sums += [
            np.bincount(gold, minlength=classes),
            chunk.ensemble.sum(axis=0),
            np.bincount(chunk.ensemble.argmax(axis=1), minlength=classes),
        ]

    def result(self, labels: tuple[str, ...]) -> tuple[ClassBalance, ...]:
        """Return a record a class, in the store's order."""
        rows = np.array([self.rows_with_gold, self.rows, self.rows], dtype=np.float64)
        rows[rows == 0] = np.nan
        shares = (self._sums / rows[:, None]).T.tolist()
        return tuple(ClassBalance(name, *row) for name, row in zip(labels, shares, strict=True))
