"""All that the pictures of a classification store show, counted in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from mtkd.inspection.agreement import ClassAgreements
from mtkd.inspection.calibration import CalibrationBins, EqualWidthCalibration
from mtkd.inspection.models import model_outputs
from mtkd.inspection.stream import chunks
from mtkd.soft_labels import StoreInfo

BARS = 30  # of the histograms
MAP_CELLS = 75  # along each side
MAP_WIDTH = 0.5  # no standard deviation of numbers between 0 and 1 is larger


@dataclass(frozen=True)
class ClassCounts:
    """Models are the teachers, then the ensemble.

    rows: with a soft label; gold_rows: of these, with gold. bins: 15 of equal width. confidence,
    entropy: rows, (models, 30), in bars from 1 / classes to 1 and from 0 to ln classes. agreement:
    (teachers, teachers), share of rows. map: rows with gold, (75, 75): by mean over teachers of
    p(gold), 0 to 1, and its standard deviation over teachers, 0 to 0.5.
    """

    rows: int
    gold_rows: int
    bins: CalibrationBins
    confidence: NDArray[np.float64]
    entropy: NDArray[np.float64]
    agreement: NDArray[np.float64]
    map: NDArray[np.float64]


def class_counts(info: StoreInfo, path: Path, title: str | None = None) -> ClassCounts:
    """Count a store in. Args: title: of the progress bar; None draws none."""
    classes, models = len(info.labels), len(info.teachers) + 1
    bins, agreements = EqualWidthCalibration(models), ClassAgreements(models - 1, classes)
    confidences, entropies = np.zeros((2, models, BARS))
    cells = np.zeros((MAP_CELLS, MAP_CELLS))
    rows = gold_rows = 0
    for chunk in chunks(path, title):
        outputs = model_outputs(chunk)
        confidence = outputs.max(axis=2)
        confidences += _histograms(confidence, 1 / classes, 1.0)
        entropies += _histograms(entr(outputs).sum(axis=2), 0.0, float(np.log(classes)))
        agreements.add(chunk)
        known = ~np.isnan(chunk.gold)
        gold = chunk.gold[known].astype(np.int64)
        bins.add(confidence[known], outputs[known].argmax(axis=2) == gold[:, None])
        of_gold = chunk.teachers[known][np.arange(len(gold)), :, gold]
        cells += _map(of_gold.mean(axis=1), of_gold.std(axis=1))
        rows += len(known)
        gold_rows += len(gold)
    share = agreements.result().share
    return ClassCounts(rows, gold_rows, bins.bins(), confidences, entropies, share, cells)


def _histograms(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Return (models, bars) of values (rows, models); rounding may carry some out of the range."""
    inside = np.clip(values, low, high)
    return np.stack([np.histogram(column, BARS, (low, high))[0] for column in inside.T]).astype(
        np.float64
    )


def _map(confidence: NDArray[np.float64], variability: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(confidence, 0, 1), np.clip(variability, 0, MAP_WIDTH)
    return np.histogram2d(*inside, bins=MAP_CELLS, range=((0, 1), (0, MAP_WIDTH)))[0]
