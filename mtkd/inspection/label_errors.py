"""Rows whose gold label the ensemble overrules with confidence: likely label errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtkd.inspection.moments import Moments
from mtkd.inspection.selection import Selection, select, take
from mtkd.inspection.stream import Chunk, chunks
from mtkd.soft_labels import StoreInfo, read_info

DEVIATIONS = 3.0  # of the residual, from which a regression row counts as a likely error
_FIXED_POINT = 2.0**40


@dataclass(frozen=True)
class LabelErrors:
    """Likely label errors of one store.

    total: all such rows. gold_rows: rows with gold and a soft label. thresholds: each class's mean
    probability over the rows that gold says are of it, inf for a class without such rows; empty for
    regression. deviation: the residual's standard deviation; None for classification. selection:
    the most likely ones, ranked by margin = p(gold) - p(the best other class), or by |z|, where
    z = (prediction - gold) / deviation.
    """

    total: int
    gold_rows: int
    thresholds: tuple[float, ...]
    deviation: float | None
    selection: Selection


def label_errors(path: Path, limit: int, title: str | None = None) -> LabelErrors:
    """Find likely label errors in two passes over the store, in the memory of one chunk.

    Classification: a row is one where, of the classes whose probability reaches their threshold,
    the most probable is not gold's, and gold's is not the most probable of all either: with rare
    classes thresholds alone would name rows on which teachers and gold agree. Where gold's is as
    probable as another, gold is believed.
    Regression: a row is one whose prediction is more than 3 standard deviations of the residual
    from gold. All are counted, the `limit` most likely returned.

    Args: title: of the progress bars; None draws none.
    Source: Northcutt et al. 2021, arXiv 1911.00068, section 3.1 (thresholds), ranked by normalised
        margin; the ensemble's probabilities stand for the out-of-sample ones that it asks for.
    """
    info = read_info(path)
    return (_overruled if info.labels else _far_off)(info, path, limit, title)


def margins(chunk: Chunk) -> NDArray[np.float64]:
    """Return p(gold) - p(the best other class), (rows,), of rows that all have gold."""
    gold, others = _gold_and_others(chunk.ensemble, chunk)
    return gold - others.max(axis=1, initial=-np.inf)


def _overruled(info: StoreInfo, path: Path, limit: int, title: str | None) -> LabelErrors:
    thresholds, rows = _thresholds(info, path, title)
    total = 0

    def likely() -> Iterator[Chunk]:
        nonlocal total
        for chunk in _with_gold(path, title):
            # less a unit of the fixed point, so that a constant probability reaches its own mean
            reached = chunk.ensemble >= thresholds - 1 / _FIXED_POINT
            gold, others = _gold_and_others(np.where(reached, chunk.ensemble, -np.inf), chunk)
            places = np.flatnonzero((others.max(axis=1) > gold) & (margins(chunk) < 0))
            total += len(places)
            yield take(chunk, places)

    found, values = select(info, likely(), limit, margins, lambda margin: margin)
    heading = _heading(total, rows, len(values), "margin: p(gold) - p(best other class)")
    selection = Selection(info, heading, found, "margin", values)
    return LabelErrors(total, rows, tuple(thresholds.tolist()), None, selection)


def _far_off(info: StoreInfo, path: Path, limit: int, title: str | None) -> LabelErrors:
    moments = Moments(1)
    for chunk in _with_gold(path, title):
        moments.add(_residuals(chunk)[:, None])
    rows = moments.rows
    deviation = float(moments.deviation()[0]) if rows else 0.0
    total = 0

    def z(chunk: Chunk) -> NDArray[np.float64]:
        return _residuals(chunk) / deviation if deviation > 0 else np.zeros(len(chunk.gold))

    def likely() -> Iterator[Chunk]:
        nonlocal total
        for chunk in _with_gold(path, title):
            places = np.flatnonzero(np.abs(z(chunk)) > DEVIATIONS)
            total += len(places)
            yield take(chunk, places)

    found, values = select(info, likely(), limit, z, lambda z: -np.abs(z))
    explained = f"z: (prediction - gold) / {deviation:.3g}, the residuals' standard deviation"
    selection = Selection(info, _heading(total, rows, len(values), explained), found, "z", values)
    return LabelErrors(total, rows, (), deviation, selection)


def _thresholds(info: StoreInfo, path: Path, title: str | None) -> tuple[NDArray[np.float64], int]:
    """Return each class's threshold, and the rows with gold.

    Sums are of whole numbers, so that they do not depend on the order of rows.
    """
    sums, counts = [0] * len(info.labels), [0] * len(info.labels)
    for chunk in _with_gold(path, title):
        fixed = np.rint(chunk.ensemble * _FIXED_POINT).astype(np.int64)
        for label in range(len(info.labels)):
            here = chunk.gold == label
            sums[label] += int(fixed[here, label].sum())
            counts[label] += int(here.sum())
    means = [s / n / _FIXED_POINT if n else np.inf for s, n in zip(sums, counts, strict=True)]
    return np.array(means), sum(counts)


def _with_gold(path: Path, title: str | None) -> Iterator[Chunk]:
    for chunk in chunks(path, title):
        yield take(chunk, np.flatnonzero(~np.isnan(chunk.gold)))


def _gold_and_others(
    values: NDArray[np.float64], chunk: Chunk
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return gold's value, (rows,), and all values with gold's put out of the race."""
    rows, gold = np.arange(len(values)), chunk.gold.astype(np.int64)
    others = values.copy()
    others[rows, gold] = -np.inf
    return values[rows, gold], others


def _residuals(chunk: Chunk) -> NDArray[np.float64]:
    return chunk.ensemble[:, 0] - chunk.gold


def _heading(total: int, rows: int, shown: int, explained: str) -> str:
    if rows == 0:
        return "likely label errors: none can be found, as no row has a gold label"
    found = f"likely label errors: {total:,} of {rows:,} rows with gold"
    return f"{found}, the {shown:,} most likely; {explained}" if shown else found
