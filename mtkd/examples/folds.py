"""Which rows a teacher is kept from, so that it can say something honest of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Fold:
    """One of `of` parts of a train split; `number` counts from 0."""

    number: int
    of: int

    def holds(self, guids: Iterable[str]) -> NDArray[np.bool_]:
        """Return, (rows,), which rows are in this part."""
        return fold_numbers(guids, self.of) == self.number

    def __str__(self) -> str:
        return f"{self.number} of {self.of}"


def fold_numbers(guids: Iterable[str], folds: int) -> NDArray[np.int64]:
    """Return the part, 0 to folds - 1, that each row is in: the SHA-256 of its guid, modulo.

    So rows that are added, left out or reordered move no other row to another part.
    """
    found = [int.from_bytes(hashlib.sha256(f"fold:{guid}".encode()).digest()[:8]) for guid in guids]
    return (np.array(found, dtype=np.uint64) % np.uint64(folds)).astype(np.int64)
