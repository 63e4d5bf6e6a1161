"""Some rows of a store in memory, and the checks that each row has to pass."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mtkd.errors import StoreError
from mtkd.soft_labels.info import StoreInfo, remedy

_SUM_TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class StoreBatch:
    """Some rows of a store.

    gold: (rows,), class index or score, NaN where unknown. logits: (rows, teachers, classes), raw.
    targets: (rows, classes) probabilities or (rows, 1) scores. A row without a soft label has NaN
    in logits and targets.
    """

    guids: pa.StringArray
    gold: NDArray[np.float64]
    logits: NDArray[np.float32]
    targets: NDArray[np.float32]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Return, (rows,), whether each row has a soft label."""
        return ~np.isnan(self.targets[:, 0])

    def sha256(self) -> str:
        """Return a checksum of the values, whatever way they are stored."""
        guids = self.guids.to_numpy(zero_copy_only=False)
        found = hashlib.sha256("\0".join(guids).encode())
        for values in (self.gold, self.logits, self.targets):
            # one NaN: Parquet keeps none of the bits in which NaNs may differ
            same = np.where(np.isnan(values), np.nan, values)
            found.update(np.ascontiguousarray(same).data)
        return found.hexdigest()


def check_batch(path: Path, info: StoreInfo, batch: StoreBatch, start: int = 0) -> None:
    """Refuse rows that cannot be soft labels.

    Args: start: number of the batch's first row in the store.
    Raises: StoreError: naming the first such row, and what is wrong with it.
    """
    known = ~(np.isnan(batch.logits).all(axis=(1, 2)) & np.isnan(batch.targets).all(axis=1))
    faults = {
        "logits that are not finite": ~np.isfinite(batch.logits).all(axis=(1, 2)) & known,
        "soft labels that are not finite": ~np.isfinite(batch.targets).all(axis=1) & known,
    }
    if info.labels:
        sums = np.abs(batch.targets.sum(axis=1, dtype=np.float64) - 1)
        faults["negative probabilities"] = (batch.targets < 0).any(axis=1)
        faults["probabilities that do not sum to 1"] = (sums > _SUM_TOLERANCE) & known
        gold = batch.gold[~np.isnan(batch.gold)]
        if not np.isin(gold, np.arange(len(info.labels))).all():
            raise StoreError(f"{path}: gold labels that are none of 0 to {len(info.labels) - 1}; "
                             f"{remedy(path)}")  # fmt: skip
    for what, bad in faults.items():
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            raise StoreError(f"{path}: {int(bad.sum())} rows with {what}, first row "
                             f"{start + first}, {batch.guids[first]}; {remedy(path)}")  # fmt: skip
