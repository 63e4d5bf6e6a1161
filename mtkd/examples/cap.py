"""A few rows of a split, for trials."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable

from mtkd.examples.example import Example


def cap(examples: Iterable[Example], rows: int, seed: int) -> list[Example]:
    """Return the `rows` rows with the smallest SHA-256 of "<seed>:<guid>", in file order.

    The first rows of a file are no sample: STS-B's are all captions. This choice is one, and a row
    chosen for a small cap is in every larger one too. Memory is that of the rows returned.

    Args: rows: >= 1. Where there are no more than that, all are returned.
    """
    kept: list[tuple[int, int, Example]] = []  # a heap with the largest hash on top
    for place, example in enumerate(examples):
        digest = hashlib.sha256(f"{seed}:{example.guid}".encode()).digest()
        entry = (-int.from_bytes(digest), place, example)
        if len(kept) < rows:
            heapq.heappush(kept, entry)
        else:
            heapq.heappushpop(kept, entry)
    return [example for _, _, example in sorted(kept, key=lambda entry: entry[1])]
