"""A store read piece by piece, as probabilities or scores: what everything here is measured on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mtkd.progress import progress_bar
from mtkd.soft_labels import read_batches, read_info, teacher_targets


@dataclass(frozen=True)
class Chunk:
    """Some rows of a store as probabilities (or scores).

    guids: (rows,). gold: (rows,), class index or score, NaN unknown. teachers: (rows, teachers,
    classes), or (rows, teachers, 1) scores. ensemble: (rows, classes), or (rows, 1) scores.
    """

    guids: pa.StringArray
    gold: NDArray[np.float64]
    teachers: NDArray[np.float64]
    ensemble: NDArray[np.float64]


def chunks(path: Path, title: str | None = None) -> Iterator[Chunk]:
    """Yield a store's rows that have a soft label, one row group after another, in file order.

    Args: title: of a progress bar over all rows; None draws none.
    Raises: StoreError: not a store, or a row group that is damaged.
    """
    info = read_info(path)
    with progress_bar(info.rows, title or "", "row", shown=title is not None) as bar:
        for batch in read_batches(path):
            known = batch.known
            yield Chunk(
                guids=batch.guids.filter(pa.array(known)),
                gold=batch.gold[known],
                teachers=teacher_targets(info, batch.logits[known]),
                ensemble=batch.targets[known].astype(np.float64),
            )
            bar.update(len(known))
