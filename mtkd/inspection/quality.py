"""How good each teacher's and the ensemble's class probabilities are, in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from mtkd.inspection.calibration import AdaptiveCalibration, EqualWidthCalibration
from mtkd.inspection.models import log_probabilities, model_outputs
from mtkd.inspection.stream import Chunk


@dataclass(frozen=True)
class ClassScores:
    """One model's probabilities. NaN where no row has what it needs.

    accuracy: share of rows whose most probable class is gold. nll: -log p(gold), nats, mean; at
    most 103.3. brier: squared distance to the one-hot gold, sum over classes, mean over rows; 0 to
    2. ece, ece_adaptive: expected calibration error of the most probable class, equal-width and
    equal-mass bins. entropy: nats, mean. max_probability: mean. The last two need no gold.
    """

    name: str
    accuracy: float
    nll: float
    brier: float
    ece: float
    ece_adaptive: float
    entropy: float
    max_probability: float


class ClassQuality:
    """Accumulates a store's class scores, chunk by chunk."""

    def __init__(self, models: int) -> None:
        self._rows = 0
        self._rows_with_gold = 0
        self._correct = np.zeros(models)
        self._nll = np.zeros(models)
        self._brier = np.zeros(models)
        self._entropy = np.zeros(models)
        self._confidence = np.zeros(models)
        self._equal_width = EqualWidthCalibration(models)
        self._adaptive = AdaptiveCalibration(models)

    def add(self, chunk: Chunk) -> None:
        """Count these rows in."""
        probabilities = model_outputs(chunk)
        confidence = probabilities.max(axis=2)
        self._rows += len(probabilities)
        self._entropy += entr(probabilities).sum(axis=2).sum(axis=0)
        self._confidence += confidence.sum(axis=0)

        known = np.isfinite(chunk.gold)
        probabilities, confidence = probabilities[known], confidence[known]
        gold = chunk.gold[known].astype(np.int64)
        correct = probabilities.argmax(axis=2) == gold[:, None]
        of_gold = np.take_along_axis(probabilities, gold[:, None, None], axis=2)[:, :, 0]
        one_hot = np.arange(probabilities.shape[2]) == gold[:, None]
        self._rows_with_gold += len(gold)
        self._correct += correct.sum(axis=0)
        self._nll -= log_probabilities(of_gold).sum(axis=0)
        self._brier += np.square(probabilities - one_hot[:, None]).sum(axis=2).sum(axis=0)
        self._equal_width.add(confidence, correct)
        self._adaptive.add(confidence, correct)

    def result(self, names: tuple[str, ...]) -> tuple[ClassScores, ...]:
        """Return each model's scores."""
        gold_rows = self._rows_with_gold or np.nan
        rows = self._rows or np.nan
        columns: list[NDArray[np.float64]] = [
            self._correct / gold_rows,
            self._nll / gold_rows,
            self._brier / gold_rows,
            self._equal_width.bins().error(),
            self._adaptive.bins().error(),
            self._entropy / rows,
            self._confidence / rows,
        ]
        values = np.stack(columns, axis=1).tolist()
        return tuple(ClassScores(name, *row) for name, row in zip(names, values, strict=True))
