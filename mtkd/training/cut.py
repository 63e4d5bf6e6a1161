"""How a batch is shared out: into pieces that are run one after another, and over processes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def cut(
    rows: NDArray[np.int64], parts: int, groups: NDArray[np.int64] | None = None
) -> list[NDArray[np.int64]]:
    """Return `rows` in `parts` of like size, in order; some are empty where rows are few.

    Args: groups: the group of every row of the task; rows of a group, which stand together in
        `rows`, stay in one part. The listwise loss sees only rows that are run together.
    """
    if groups is None:
        return np.array_split(rows, parts)
    starts = np.flatnonzero(np.diff(groups[rows], prepend=-1))
    wanted = np.arange(1, parts) * len(rows) / parts
    return np.split(rows, np.append(starts, len(rows))[np.searchsorted(starts, wanted)])
