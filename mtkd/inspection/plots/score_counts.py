"""All that the pictures of a regression store show, counted in two passes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtkd.inspection.agreement import ScoreAgreements
from mtkd.inspection.moments import Moments
from mtkd.inspection.stream import Chunk, chunks
from mtkd.soft_labels import StoreInfo

CELLS = 60  # along each side of the images
BARS = 40
Range = tuple[float, float]


@dataclass(frozen=True)
class ScoreCounts:
    """Rows counted in images and bars, and the ranges that these span.

    rows: with a soft label; gold_rows: of these, with gold. predictions: (60, 60), by the
    ensemble's score and gold, both over score_range. residuals: (40,), prediction - gold, over
    residual_range. residual_mean, residual_deviation: of the same. agreement: (teachers,
    teachers), Pearson. spread: (60, 60), by the standard deviation over teachers (spread_range)
    and the ensemble's score (prediction_range).
    """

    rows: int
    gold_rows: int
    predictions: NDArray[np.float64]
    score_range: Range
    residuals: NDArray[np.float64]
    residual_range: Range
    residual_mean: float
    residual_deviation: float
    agreement: NDArray[np.float64]
    spread: NDArray[np.float64]
    spread_range: Range
    prediction_range: Range


def score_counts(info: StoreInfo, path: Path, title: str | None = None) -> ScoreCounts:
    """Count a store in: first its ranges, then its rows.

    Args: title: of the progress bars; None draws none.
    """
    scores, compared = Moments(1), Moments(3)
    agreements = ScoreAgreements(len(info.teachers))
    for chunk in chunks(path, title):
        scores.add(chunk.ensemble)
        compared.add(_compared(chunk))
        agreements.add(chunk)
    low, high = compared.lowest, compared.highest  # of prediction, gold, residual
    score_range = _range(np.nanmin(low[:2]), np.nanmax(high[:2])) if compared.rows else (0.0, 1.0)
    residual_range = _range(low[2], high[2]) if compared.rows else (0.0, 1.0)
    prediction_range = _range(scores.lowest[0], scores.highest[0]) if scores.rows else (0.0, 1.0)
    agreement = agreements.result()
    spread_range = _range(0.0, agreement.largest_deviation) if scores.rows else (0.0, 1.0)

    predictions, spread = np.zeros((2, CELLS, CELLS))
    residuals = np.zeros(BARS)
    for chunk in chunks(path, title):
        prediction, gold, residual = _compared(chunk).T
        predictions += _image(prediction, gold, score_range, score_range)
        residuals += np.histogram(residual, BARS, residual_range)[0]
        deviation = chunk.teachers[:, :, 0].std(axis=1)
        spread += _image(deviation, chunk.ensemble[:, 0], spread_range, prediction_range)
    return ScoreCounts(
        rows=scores.rows,
        gold_rows=compared.rows,
        predictions=predictions,
        score_range=score_range,
        residuals=residuals,
        residual_range=residual_range,
        residual_mean=float(compared.mean[2]),
        residual_deviation=float(compared.deviation()[2]),
        agreement=agreement.pearson,
        spread=spread,
        spread_range=spread_range,
        prediction_range=prediction_range,
    )


def _compared(chunk: Chunk) -> NDArray[np.float64]:
    """Return the ensemble's score, gold and their difference, (rows with gold, 3)."""
    known = ~np.isnan(chunk.gold)
    prediction, gold = chunk.ensemble[known, 0], chunk.gold[known]
    return np.stack([prediction, gold, prediction - gold], axis=1)


def _range(low: float, high: float) -> Range:
    """Return bounds with something between them, even where all values are one."""
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(high) + 0.5)


def _image(
    upwards: NDArray[np.float64], along: NDArray[np.float64], rows: Range, columns: Range
) -> NDArray[np.float64]:
    return np.histogram2d(upwards, along, bins=CELLS, range=(rows, columns))[0]
