"""The order of batches as a pure function of seed and epoch, so that a resume needs no memory."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mtkd.batching.sampling import batches_per_task
from mtkd.recipe.schema import TrainingSettings
from mtkd.recipe.seeds import derive_seed

Rows = NDArray[np.int64]


def epoch_order(
    lengths: Mapping[str, NDArray[np.int64]],
    settings: TrainingSettings,
    seed: int,
    epoch: int,
    groups: Mapping[str, NDArray[np.int64]] | None = None,
) -> list[tuple[str, Rows]]:
    """Return the batches of one epoch: (task, row numbers), each of one task (Algorithm 1).

    Args: lengths: tokens of every row, by task. groups: for tasks whose rows belong together
        (the candidates of one question), the group of each row; groups are not torn apart
        unless larger than a batch.
    """
    available = _available(lengths, settings.batch_size)
    counts = batches_per_task(available, settings.sampling, epoch, settings.epochs)
    by_task = {
        task: _task_batches(
            lengths[task],
            counts[task],
            settings,
            derive_seed(seed, "rows", task, epoch),
            (groups or {}).get(task),
        )
        for task in sorted(counts)
    }
    if settings.sampling.strategy == "round_robin":
        return _interleave(by_task)
    merged = [(task, rows) for task, batches in by_task.items() for rows in batches]
    shuffle = np.random.default_rng(derive_seed(seed, "batches", epoch)).permutation(len(merged))
    return [merged[i] for i in shuffle]


def steps_per_epoch(rows: Mapping[str, int], settings: TrainingSettings) -> list[int]:
    """Return the number of updates in each epoch."""
    available = {task: math.ceil(n / settings.batch_size) for task, n in rows.items()}
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


def _available(lengths: Mapping[str, NDArray[np.int64]], batch_size: int) -> dict[str, int]:
    return {task: math.ceil(len(rows) / batch_size) for task, rows in lengths.items()}


def _task_batches(
    lengths: NDArray[np.int64],
    count: int,
    settings: TrainingSettings,
    seed: int,
    groups: NDArray[np.int64] | None,
) -> list[Rows]:
    """Return `count` batches: every row once, and once more in a new order where that is short."""
    rng = np.random.default_rng(seed)
    batches: list[Rows] = []
    while len(batches) < count:
        rows = rng.permutation(len(lengths))
        if groups is not None:
            rows = _keep_together(rows, groups)
        elif settings.bucket_batches > 1:
            rows = _sort_within_windows(rows, lengths, settings)
        cuts = range(0, len(rows), settings.batch_size)
        packed = [rows[i : i + settings.batch_size] for i in cuts]
        # sorted windows leave the short batch at a fixed place: which batches go must be random
        batches += [packed[i] for i in rng.permutation(len(packed))]
    return batches[:count]


def _sort_within_windows(rows: Rows, lengths: Rows, settings: TrainingSettings) -> Rows:
    window = settings.batch_size * settings.bucket_batches
    pieces = [rows[i : i + window] for i in range(0, len(rows), window)]
    return np.concatenate([piece[np.argsort(lengths[piece], kind="stable")] for piece in pieces])


def _keep_together(rows: Rows, groups: Rows) -> Rows:
    """Order rows so that a group stands together, groups in the order of their first row."""
    first: dict[int, int] = {}
    for place, row in enumerate(rows):
        first.setdefault(int(groups[row]), place)
    return rows[np.argsort([first[int(groups[row])] for row in rows], kind="stable")]


def _interleave(by_task: Mapping[str, list[Rows]]) -> list[tuple[str, Rows]]:
    rounds = max(len(batches) for batches in by_task.values())
    return [
        (task, batches[i])
        for i in range(rounds)
        for task, batches in by_task.items()
        if i < len(batches)
    ]
