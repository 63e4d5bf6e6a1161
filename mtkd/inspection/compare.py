"""Two stores side by side: what they are made from, and what they say of the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mtkd.errors import StoreError
from mtkd.inspection.differences import Difference, provenance_differences
from mtkd.inspection.models import log_probabilities
from mtkd.inspection.moments import Moments
from mtkd.inspection.plain import plain
from mtkd.progress import progress_bar
from mtkd.soft_labels import StoreInfo, read_batches, read_info

_BLOCK = 65_536  # rows at once: what is computed in float64 stays small
_CHANGED = 10


@dataclass(frozen=True)
class ChangedRow:
    """A row on which two stores differ much.

    distance: total variation, or the absolute difference of scores. a, b: most probable class, or
    score as text. p_a, p_b: its probability, NaN for regression. gold: as text, "" unknown.
    """

    guid: str
    distance: float
    gold: str
    a: str
    p_a: float
    b: str
    p_b: float


@dataclass(frozen=True)
class ClassComparison:
    """Over rows in both, means. agreement: of the most probable class. kl: KL(a || b), nats.

    total_variation: half the sum of absolute differences, 0 to 1. accuracy_a, accuracy_b: over
    those of the rows whose gold is known (a's; where a has none, b's). NaN without rows.
    """

    agreement: float
    kl: float
    total_variation: float
    accuracy_a: float
    accuracy_b: float


@dataclass(frozen=True)
class ScoreComparison:
    """Over rows in both. pearson: between a and b. pearson_a, pearson_b: with gold, where known."""

    pearson: float
    mean_absolute_difference: float
    pearson_a: float
    pearson_b: float


@dataclass(frozen=True)
class Comparison:
    """Two stores, a and b, compared by guid.

    labels: a's class order, into which b is brought by name. rows: in both, with a soft label in
    both; without_soft_label: in both, without one in either. gold_differs: of rows, where both know
    gold and not the same. changed: the rows that differ most, at most 10.
    """

    a: Path
    b: Path
    labels: tuple[str, ...]
    differences: tuple[Difference, ...]
    rows: int
    rows_only_in_a: int
    rows_only_in_b: int
    without_soft_label: int
    rows_with_gold: int
    gold_differs: int
    values: ClassComparison | ScoreComparison
    changed: tuple[ChangedRow, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it in JSON's types; what is not defined (NaN) is null."""
        content: dict[str, Any] = plain(self)
        return content


@dataclass
class _Side:
    """One store in memory, without logits; then only the rows in both, in a's order."""

    info: StoreInfo
    guids: pa.ChunkedArray
    gold: NDArray[np.float64]
    targets: NDArray[np.float32]
    known: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.known = ~np.isnan(self.targets[:, 0])

    def at(self, places: NDArray[np.int64]) -> _Side:
        return _Side(
            self.info, self.guids.take(pa.array(places)), self.gold[places], self.targets[places]
        )


def compare_stores(a: Path, b: Path, title: str | None = None) -> Comparison:
    """Compare two stores over the rows that both hold.

    Args: title: of a progress bar; None draws none.
    Raises: StoreError: not a store, a damaged one, a guid twice, or other classes (another order
        of the same classes is none: columns are matched by name).
    """
    left, right = _read(a, title), _read(b, title)
    labels = left.info.labels
    if set(labels) != set(right.info.labels):
        raise StoreError(
            f"{b}: its classes are {list(right.info.labels) or 'none (regression)'}, those of {a} "
            f"{list(labels) or 'none (regression)'}; only stores of the same classes can be "
            "compared, so give two of one task"
        )
    if labels != right.info.labels:
        _reorder(right, labels)
    place = pc.index_in(left.guids, value_set=right.guids)
    shared = np.flatnonzero(place.is_valid().to_numpy())
    in_left = left.at(shared)
    in_right = right.at(place.drop_null().to_numpy().astype(np.int64))
    both = np.flatnonzero(in_left.known & in_right.known)
    x, y = in_left.at(both), in_right.at(both)
    gold = np.where(np.isnan(x.gold), y.gold, x.gold)
    with np.errstate(invalid="ignore"):
        gold_differs = np.abs(x.gold - y.gold) > 0
    values, distance = _classes(x, y, gold) if labels else _scores(x, y, gold)
    return Comparison(
        a=a,
        b=b,
        labels=labels,
        differences=provenance_differences(left.info, right.info),
        rows=len(both),
        rows_only_in_a=len(left.gold) - len(shared),
        rows_only_in_b=len(right.gold) - len(shared),
        without_soft_label=len(shared) - len(both),
        rows_with_gold=int(np.isfinite(gold).sum()),
        gold_differs=int(gold_differs.sum()),
        values=values,
        changed=_changed(x, y, gold, distance),
    )


def _read(path: Path, title: str | None) -> _Side:
    info = read_info(path)
    guids: list[pa.Array] = []
    try:
        gold = np.empty(info.rows)
        targets = np.empty((info.rows, len(info.labels) or 1), dtype=np.float32)
    except MemoryError as error:
        raise StoreError(f"{path}: of more rows and classes than memory can hold") from error
    start = 0
    with progress_bar(info.rows, title or "", "row", shown=title is not None) as bar:
        for batch in read_batches(path):
            end = start + len(batch.gold)
            guids.append(batch.guids)
            gold[start:end], targets[start:end] = batch.gold, batch.targets
            bar.update(end - start)
            start = end
    column = pa.chunked_array(guids, pa.string())
    if (different := pc.count_distinct(column).as_py()) != len(column):
        raise StoreError(f"{path}: {len(column) - different} guids stand twice; rows cannot be "
                         "matched. Make it anew with `mtkd soften`")  # fmt: skip
    return _Side(info, column, gold, targets)


def _reorder(side: _Side, labels: tuple[str, ...]) -> None:
    """Bring columns and gold classes into another order of the same classes."""
    old = side.info.labels
    side.targets = side.targets[:, [old.index(label) for label in labels]]
    new = np.array([labels.index(label) for label in old], dtype=np.float64)
    known = np.isfinite(side.gold)
    side.gold[known] = new[side.gold[known].astype(np.int64)]


def _blocks(x: _Side, y: _Side) -> Iterator[tuple[slice, NDArray[np.float64], NDArray[np.float64]]]:
    for start in range(0, len(x.gold), _BLOCK):
        rows = slice(start, start + _BLOCK)
        yield rows, x.targets[rows].astype(np.float64), y.targets[rows].astype(np.float64)


def _classes(
    x: _Side, y: _Side, gold: NDArray[np.float64]
) -> tuple[ClassComparison, NDArray[np.float64]]:
    rows = len(gold)
    sums = np.zeros(4)  # same class, KL, a right, b right
    distance = np.empty(rows)
    for block, p, q in _blocks(x, y):
        distance[block] = np.abs(p - q).sum(axis=1) / 2
        said_x, said_y = p.argmax(axis=1), q.argmax(axis=1)
        sums += [
            (said_x == said_y).sum(),
            (p * (log_probabilities(p) - log_probabilities(q))).sum(),
            (said_x == gold[block]).sum(),
            (said_y == gold[block]).sum(),
        ]
    with_gold = np.isfinite(gold).sum() or np.nan
    agreement, kl, right_x, right_y = sums / [rows or np.nan, rows or np.nan, with_gold, with_gold]
    mean = distance.mean() if rows else np.nan
    return ClassComparison(*map(float, (agreement, kl, mean, right_x, right_y))), distance


def _scores(
    x: _Side, y: _Side, gold: NDArray[np.float64]
) -> tuple[ScoreComparison, NDArray[np.float64]]:
    every, with_gold = Moments(2), Moments(3)
    distance = np.empty(len(gold))
    for block, p, q in _blocks(x, y):
        distance[block] = np.abs(p - q)[:, 0]
        every.add(np.concatenate([p, q], axis=1))
        known = np.isfinite(gold[block])
        with_gold.add(np.concatenate([p, q, gold[block, None]], axis=1)[known])
    of_gold = with_gold.pearson()[2]
    mean = distance.mean() if len(gold) else np.nan
    values = (every.pearson()[0, 1], mean, of_gold[0], of_gold[1])
    return ScoreComparison(*map(float, values)), distance


def _changed(
    x: _Side, y: _Side, gold: NDArray[np.float64], distance: NDArray[np.float64]
) -> tuple[ChangedRow, ...]:
    """Return the rows of greatest distance, of equal ones the first by guid; none unchanged."""
    table = pa.table({"guid": x.guids, "distance": distance, "row": np.arange(len(distance))})
    table = table.filter(pc.field("distance") > 0)
    order = [("distance", "descending"), ("guid", "ascending")]
    table = table.take(pc.select_k_unstable(table, k=_CHANGED, sort_keys=order))
    found = []
    for guid, far, row in zip(*(table[name].to_pylist() for name in table.column_names),
                              strict=True):  # fmt: skip
        texts = [_said(x.info.labels, side.targets[row]) for side in (x, y)]
        known = _gold_text(x.info.labels, gold[row])
        found.append(ChangedRow(guid, far, known, *texts[0], *texts[1]))
    return tuple(found)


def _said(labels: tuple[str, ...], target: NDArray[np.float32]) -> tuple[str, float]:
    if not labels:
        return f"{target[0]:.4g}", float("nan")
    return labels[int(target.argmax())], float(target.max())


def _gold_text(labels: tuple[str, ...], gold: float) -> str:
    if not np.isfinite(gold):
        return ""
    return labels[int(gold)] if labels else f"{gold:g}"
