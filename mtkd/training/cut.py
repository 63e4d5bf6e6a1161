"""How a batch is shared out: into pieces that are run one after another, and over processes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclasses.dataclass(frozen=True)
class Piece:
    """What this process runs at once.

    batch: rows as tensors, on the device, as the goal of the training makes them. share: by which
    the sum of the rows' losses is multiplied.
    """

    batch: Any
    share: float


def cut_to_pieces(
    rows: NDArray[np.int64],
    accumulation: int,
    accelerator: Accelerator,
    make: Callable[[NDArray[np.int64]], Any],
    groups: NDArray[np.int64] | None = None,
) -> list[Piece]:
    """Return this process's part of a batch, in at most `accumulation` pieces.

    Every row weighs the same and no group is torn, so neither the number of pieces nor that of
    processes changes the gradient.

    Args: make: rows as tensors. groups: as for `cut`.
    """
    pieces = []
    for part in cut(rows, accumulation, groups):
        if len(part) == 0:
            continue
        mine = cut(part, accelerator.num_processes, groups)[accelerator.process_index]
        idle = len(mine) == 0  # fewer rows than processes: take part in the reduction with nothing
        batch = make(part[:1] if idle else mine)
        # processes' gradients are averaged, hence their number
        pieces.append(Piece(batch, 0.0 if idle else accelerator.num_processes / len(rows)))
    return pieces


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
