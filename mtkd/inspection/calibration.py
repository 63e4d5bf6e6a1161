"""Expected calibration error: how far confidence and accuracy lie apart, bin by bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

BINS = 15

_CELLS = 2**16
_LOWEST, _HIGHEST = -16.0, 37.0  # log-odds; float64 knows no probability above 36.7 but 1


@dataclass(frozen=True)
class CalibrationBins:
    """Rows by the probability of their most probable class; arrays are (models, bins).

    count: rows; not whole numbers where rows of like confidence were shared out between bins.
    confidence, correct: sums over these rows.
    """

    count: NDArray[np.float64]
    confidence: NDArray[np.float64]
    correct: NDArray[np.float64]

    def error(self) -> NDArray[np.float64]:
        """Return each model's ECE: mean over rows of |accuracy - confidence| of the row's bin.

        Returns: (models,), 0 to 1; NaN without rows.
        Source: Guo et al. 2017, arXiv 1706.04599, equation 3.
        """
        rows = self.count.sum(axis=1)
        gaps = np.abs(self.correct - self.confidence).sum(axis=1)
        return np.divide(gaps, rows, out=np.full(len(rows), np.nan), where=rows > 0)


class EqualWidthCalibration:
    """15 bins of equal width, (0, 1/15], (1/15, 2/15] ...: exact in a stream.

    Source: Guo et al. 2017, arXiv 1706.04599, section 2.
    """

    def __init__(self, models: int, bins: int = BINS) -> None:
        self._edges = np.arange(bins + 1) / bins
        self._sums = np.zeros((3, models, bins))

    def add(self, confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> None:
        """Count rows in. Args: confidence, correct: (rows, models)."""
        # the ensemble's float32 sums to 1 within rounding only
        cells = np.searchsorted(self._edges, np.clip(confidence, 1e-12, 1), side="left") - 1
        self._sums += _sums_by_cell(cells, confidence, correct, self._sums.shape[2])

    def bins(self) -> CalibrationBins:
        """Return what has been counted."""
        return CalibrationBins(*self._sums)


class AdaptiveCalibration:
    """15 bins of equal numbers of rows, as of confidences sorted and cut (`np.array_split`).

    Confidences are not kept but counted in 65,536 cells, even in log-odds from -16 to 37 (8e-4
    each, so at most 2e-4 in probability; finer towards 1, where teachers mostly are). Counts and
    sums of a cell are exact; one that lies across two bins is shared out in proportion. So the
    result is that of sorting where each cell holds one row, else off by at most the share of rows
    in the 14 cells that are cut; and rows of equal confidence, whose order sorting leaves to
    chance, are all treated alike.
    Source: Nixon et al. 2019, arXiv 1904.01685, section 3, on the most probable class alone.
    """

    def __init__(self, models: int, bins: int = BINS) -> None:
        self._bins = bins
        self._cells = np.zeros((3, models, _CELLS))

    def add(self, confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> None:
        """Count rows in. Args: confidence, correct: (rows, models)."""
        odds = np.clip(logit(np.clip(confidence, 0, 1)), _LOWEST, _HIGHEST)
        cells = ((odds - _LOWEST) * (_CELLS / (_HIGHEST - _LOWEST))).astype(np.int64)
        self._cells += _sums_by_cell(np.minimum(cells, _CELLS - 1), confidence, correct, _CELLS)

    def bins(self) -> CalibrationBins:
        """Return what has been counted, cut into bins."""
        _, models, _ = self._cells.shape
        sums = np.zeros((3, models, self._bins))
        for model in range(models):
            filled = self._cells[:, model, self._cells[0, model] > 0]
            running = np.concatenate([np.zeros((3, 1)), filled.cumsum(axis=1)], axis=1)
            sizes = np.full(self._bins, running[0, -1] // self._bins)
            sizes[: int(running[0, -1] % self._bins)] += 1
            cuts = np.concatenate([[0], sizes.cumsum()])
            for i in range(3):
                sums[i, model] = np.diff(np.interp(cuts, running[0], running[i]))
        return CalibrationBins(*sums)


def _sums_by_cell(
    cells: NDArray[np.int64],
    confidence: NDArray[np.float64],
    correct: NDArray[np.bool_],
    length: int,
) -> NDArray[np.float64]:
    """Return (3, models, length): count, sum of confidence and number correct in each cell."""
    models = cells.shape[1]
    flat = (cells + np.arange(models) * length).ravel()
    sums = [
        np.bincount(flat, weights, minlength=models * length)
        for weights in (None, confidence.ravel(), correct.ravel())
    ]
    return np.stack(sums).reshape(3, models, length).astype(np.float64)
