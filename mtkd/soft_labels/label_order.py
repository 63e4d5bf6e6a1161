"""Do soft labels name the classes in the order that gold labels do?

Columns in another order than the card's train without a word, and the student learns the wrong
classes: MNLI's order differs between its files, the hub and published models.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray

from mtkd.errors import StoreError
from mtkd.soft_labels.read import read_batches, read_info

_GAIN, _AGREEMENT, _P_VALUE = 0.10, 0.70, 1e-6

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class OrderTest:
    """The class order that agrees best with gold, against the one that is claimed.

    agreement, best: share of rows whose most probable class is gold, as claimed and in `order`.
    p_value: of so great a gain were both orders equally good; exact sign test on the rows where
    they differ, times the number of other orders.
    """

    agreement: float
    best: float
    order: tuple[int, ...]  # for each column the class that it seems to stand for
    p_value: float

    @property
    def is_significant(self) -> bool:
        """Return whether another order agrees better than by chance."""
        return self.p_value < _P_VALUE

    @property
    def is_permuted(self) -> bool:
        """Return whether the columns stand in another order, beyond reasonable doubt."""
        gain = self.best - self.agreement
        return self.is_significant and gain >= _GAIN and self.best >= _AGREEMENT


def best_order(confusion: NDArray[np.int64]) -> OrderTest:
    """Find the order of columns that agrees best with gold.

    Args: confusion: (classes, classes), rows with gold label g whose most probable column is c.
    """
    from scipy.optimize import linear_sum_assignment  # slow to import

    classes, rows = len(confusion), int(confusion.sum())
    gold, column = linear_sum_assignment(confusion, maximize=True)
    order = [int(g) for _, g in sorted(zip(column, gold, strict=True))]
    moved = [c for c in range(classes) if order[c] != c]
    wins = int(sum(confusion[order[c], c] for c in moved))
    losses = int(sum(confusion[c, c] for c in moved))
    p_value = 1.0
    if wins > losses:
        others = math.exp(min(math.lgamma(classes + 1), 700.0)) - 1
        p_value = min(1.0, float(scipy.special.bdtrc(wins - 1, wins + losses, 0.5)) * others)
    agreed = int(np.trace(confusion))
    return OrderTest(agreed / max(rows, 1), (agreed + wins - losses) / max(rows, 1), tuple(order),
                     p_value)  # fmt: skip


def count_confusion(
    classes: int, gold: NDArray[np.float64], targets: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Return (classes, classes): rows of each gold label and most probable column.

    Args: gold: (rows,), NaN where unknown. targets: (rows, classes), NaN where a row has none.
    """
    both = ~np.isnan(gold) & ~np.isnan(targets).any(axis=1)
    pairs = gold[both].astype(np.int64) * classes + targets[both].argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def check_label_order(where: str, labels: tuple[str, ...], confusion: NDArray[np.int64]) -> None:
    """Refuse soft labels whose columns stand in another order than `labels`; warn where it may be.

    Args: where: what the soft labels are, for the message. confusion: as of `count_confusion`.
    Raises: StoreError: another order raises agreement with gold by 10 points or more, to 70 % or
        more, with p < 1e-6.
    """
    found = best_order(confusion)
    if not found.is_significant:
        return
    order = ", ".join(labels[c] for c in found.order)
    said = (f"{where}: as {', '.join(labels)} the most probable class is the gold label in "
            f"{found.agreement:.1%} of {confusion.sum()} rows, as {order} in {found.best:.1%} "
            f"(p = {found.p_value:.0e})")  # fmt: skip
    if found.is_permuted:
        raise StoreError(f"{said}. The columns stand in another order than the card's labels: if "
                         f"they were imported, import them again with --labels "
                         f"'{','.join(labels[c] for c in found.order)}'; else the gold labels were "
                         "decoded with another order than the teachers learnt: check labels and "
                         "file_labels in the task's card")  # fmt: skip
    log.warning("%s: look whether the columns stand in the order of the card's labels", said)


def check_store(path: Path) -> None:
    """Read a store from end to end: every checksum, then the order of its classes.

    Raises: StoreError: as `read_batches` and `check_label_order`.
    """
    info = read_info(path)
    confusion = np.zeros((info.outputs, info.outputs), dtype=np.int64)
    for batch in read_batches(path):
        if info.labels:
            confusion += count_confusion(info.outputs, batch.gold, batch.targets)
    if info.labels:
        check_label_order(str(path), info.labels, confusion)
