"""The order of batches as a pure function of seed and epoch, so that a resume needs no memory."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mtkd.batching.packing import Rows, pack
from mtkd.batching.sampling import batches_per_task
from mtkd.recipe.seeds import derive_seed
from mtkd.recipe.training import TrainingSettings


def epoch_order(
    lengths: Mapping[str, Rows],
    settings: TrainingSettings,
    seed: int,
    epoch: int,
    groups: Mapping[str, Rows] | None = None,
) -> list[tuple[str, Rows]]:
    """Return the batches of one epoch: (task, row numbers), each of one task (Algorithm 1).

    Args: lengths: tokens of every row, by task. groups: for tasks whose rows belong together, the
        group of each row; see `pack`.
    Raises: DataError: a task has no rows.
    """
    packers = {task: _Packer(lengths[task], settings, seed, task, epoch, (groups or {}).get(task))
               for task in sorted(lengths)}  # fmt: skip
    available = {task: packer.available() for task, packer in packers.items()}
    counts = batches_per_task(available, settings.sampling, epoch, settings.epochs)
    by_task = {task: packers[task].batches(counts[task]) for task in sorted(counts)}
    if settings.sampling.strategy == "round_robin":
        return _interleave(by_task)
    merged = [(task, rows) for task, batches in by_task.items() for rows in batches]
    shuffle = np.random.default_rng(derive_seed(seed, "batches", epoch)).permutation(len(merged))
    return [merged[i] for i in shuffle]


def count_steps(
    lengths: Mapping[str, Rows],
    settings: TrainingSettings,
    seed: int,
    groups: Mapping[str, Rows] | None = None,
) -> int:
    """Return the number of updates in all, which `max_tokens` makes depend on the order."""
    if settings.max_steps is not None:
        return settings.max_steps
    if settings.max_tokens is None:
        return sum(steps_per_epoch({task: len(n) for task, n in lengths.items()}, settings))
    return sum(
        len(epoch_order(lengths, settings, seed, epoch, groups)) for epoch in range(settings.epochs)
    )


def steps_per_epoch(rows: Mapping[str, int], settings: TrainingSettings) -> list[int]:
    """Return the number of updates in each epoch, of batches by `batch_size`."""
    available = {task: math.ceil(n / settings.rows_per_update) for task, n in rows.items()}
    return [
        sum(batches_per_task(available, settings.sampling, epoch, settings.epochs).values())
        for epoch in range(settings.epochs)
    ]


def inference_batches(lengths: NDArray[np.int64], max_tokens: int) -> list[Rows]:
    """Return batches of rows of like length, longest first, of at most `max_tokens` with padding.

    Longest first, so that memory that does not suffice shows at once.
    """
    order = np.argsort(-lengths, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        size = max(1, max_tokens // max(1, int(lengths[order[start]])))
        batches.append(order[start : start + size])
        start += size
    return batches


class _Packer:
    """One task's batches in one epoch, each pass over its rows drawn anew."""

    def __init__(
        self,
        lengths: Rows,
        settings: TrainingSettings,
        seed: int,
        task: str,
        epoch: int,
        groups: Rows | None,
    ) -> None:
        self._lengths, self._settings, self._groups = lengths, settings, groups
        self._rng = np.random.default_rng(derive_seed(seed, "rows", task, epoch))
        self._batches: list[Rows] = []

    def available(self) -> int:
        """Return the number of batches that hold every row once."""
        if self._settings.max_tokens is None or len(self._lengths) == 0:
            return math.ceil(len(self._lengths) / self._settings.rows_per_update)
        self._pass()
        return len(self._batches)

    def batches(self, count: int) -> list[Rows]:
        """Return `count` batches: every row once, and again in a new order where those are few."""
        while len(self._batches) < count:
            self._pass()
        return self._batches[:count]

    def _pass(self) -> None:
        packed = pack(self._lengths, self._settings, self._rng, self._groups)
        # sorted windows leave the short batch at a fixed place: which batches go must be random
        self._batches += [packed[i] for i in self._rng.permutation(len(packed))]


def _interleave(by_task: Mapping[str, list[Rows]]) -> list[tuple[str, Rows]]:
    rounds = max(len(batches) for batches in by_task.values())
    return [
        (task, batches[i])
        for i in range(rounds)
        for task, batches in by_task.items()
        if i < len(batches)
    ]
