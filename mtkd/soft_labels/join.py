"""Soft labels joined to rows of data: by guid, and never in silence where something differs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mtkd.errors import StoreError
from mtkd.soft_labels.info import remedy
from mtkd.soft_labels.read import SoftLabelStore
from mtkd.task import Task


@dataclasses.dataclass(frozen=True)
class SoftTargets:
    """Soft labels joined to rows of data, in the order of the data.

    targets: (rows, classes) probabilities, or (rows, 1) scores. known: (rows,), whether the row
    has a soft label; where not, its targets are NaN.
    """

    targets: NDArray[np.float32]
    known: NDArray[np.bool_]


def join(
    store: SoftLabelStore,
    task: Task,
    guids: Sequence[str] | pa.StringArray,
    data_fingerprint: str,
    temperature: float,
) -> SoftTargets:
    """Return the store's targets in the order of `guids`.

    Nothing is realigned in silence: another task, class order, temperature, data fingerprint or
    set of guids is refused.

    Raises: StoreError: saying what differs.
    """
    info, mend = store.info, remedy(store.path, store.info.source)
    for what, found, expected in (
        ("task", info.task, task.name),
        ("class order", list(info.labels), list(task.labels)),
        ("temperature", info.temperature, temperature),
        ("data fingerprint", info.data_fingerprint, data_fingerprint),
    ):
        if found != expected:
            raise StoreError(f"{store.path}: its {what} is {found}, the data's {expected}; {mend}")
    wanted = guids if isinstance(guids, pa.Array) else pa.array(list(guids), pa.string())
    places = pc.index_in(wanted, value_set=store.guids)  # of a guid that stands twice, the first
    joined = np.zeros(len(store.guids), dtype=bool)
    joined[places.drop_null().to_numpy()] = True
    if not joined.all() and len(pc.unique(store.guids)) != len(store.guids):
        raise StoreError(f"{store.path}: a guid stands twice; {mend}")
    if places.null_count:
        first = wanted[int(np.flatnonzero(places.is_null().to_numpy(zero_copy_only=False))[0])]
        raise StoreError(f"{store.path}: no soft label for {places.null_count} rows of the data, "
                         f"first {first}; {mend}")  # fmt: skip
    if not joined.all():
        extra = store.guids.filter(pa.array(~joined))
        raise StoreError(f"{store.path}: {len(extra)} soft labels for no row of the data, first "
                         f"{pc.min(extra)}; {mend}")  # fmt: skip
    targets = store.targets[places.to_numpy()]
    return SoftTargets(targets, np.asarray(np.isfinite(targets).all(axis=1)))
