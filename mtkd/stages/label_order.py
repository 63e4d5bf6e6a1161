"""A store on disk, read once more from end to end: every checksum, and the order of its classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mtkd.soft_labels import check_label_order, count_confusion, read_batches, read_info


def check_store_order(path: Path) -> None:
    """Refuse a store whose classes stand in another order than gold labels say; see there."""
    info = read_info(path)
    confusion = np.zeros((info.outputs, info.outputs), dtype=np.int64)
    for batch in read_batches(path):
        if info.labels:
            confusion += count_confusion(info.outputs, batch.gold, batch.targets)
    if info.labels:
        check_label_order(str(path), info.labels, confusion)
