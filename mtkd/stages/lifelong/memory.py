"""Which rows of earlier corpora are remembered: those with the smallest hashes, by their guids."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray


def remembered(
    corpora: Sequence[tuple[str, Sequence[str]]],
    rows: int,
    strategy: Literal["reservoir", "balanced"],
    seed: int,
) -> NDArray[np.int64]:
    """Return the numbers of at most `rows` rows, ascending, of all corpora one after another.

    The hash of a row does not change while more corpora come, so whoever had kept no other rows
    than these after each corpus would have them all: what is forgotten does not come back. By
    "reservoir" each row seen is among them with the same probability, as in reservoir sampling
    (Vitter 1985); by "balanced" each corpus gives as many, but for a remainder that goes to the
    first ones, and for corpora with too few rows.

    Args: corpora: name, and guids in the order of its rows, of each.
    """
    keys = [_hashes(name, guids, seed) for name, guids in corpora]
    starts = np.cumsum([0, *map(len, keys)])
    if strategy == "reservoir":
        return np.sort(np.argsort(np.concatenate(keys), kind="stable")[:rows])
    share, rest = divmod(rows, len(corpora))
    found = [
        start + np.argsort(own, kind="stable")[: share + (number < rest)]
        for number, (start, own) in enumerate(zip(starts, keys, strict=False))
    ]
    return np.sort(np.concatenate(found))


def _hashes(name: str, guids: Sequence[str], seed: int) -> NDArray[np.uint64]:
    digests = (hashlib.sha256(f"{seed} {name} {guid}".encode()).digest() for guid in guids)
    return np.array([int.from_bytes(d[:8], "big") for d in digests], dtype=np.uint64)
