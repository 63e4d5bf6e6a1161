"""The order of batches as a pure function of seed and epoch, so that a resume needs no memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mtkd.batching.collate import padded_length
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
        (the candidates of one question), the group of each row. A group lies in one batch
        unless it is larger than `batch_size`; a batch may then have some rows more or fewer.
    Raises: DataError: a task has no rows.
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
        size = max(1, max_tokens // padded_length(max(1, int(lengths[order[start]]))))
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
    if groups is not None:
        lengths = _longest_of_group(lengths, groups)
    batches: list[Rows] = []
    while len(batches) < count:
        rows = rng.permutation(len(lengths))
        if settings.bucket_batches > 1:
            rows = _sort_within_windows(rows, lengths, settings)
        if groups is None:
            cuts = list(range(settings.batch_size, len(rows), settings.batch_size))
        else:
            rows = _keep_together(rows, groups)
            cuts = _cuts_between_groups(groups[rows], settings.batch_size)
        packed = np.split(rows, cuts)
        # sorted windows leave the short batch at a fixed place: which batches go must be random
        batches += [packed[i] for i in rng.permutation(len(packed))]
    return batches[:count]


def _sort_within_windows(rows: Rows, lengths: Rows, settings: TrainingSettings) -> Rows:
    window = settings.batch_size * settings.bucket_batches
    pieces = [rows[i : i + window] for i in range(0, len(rows), window)]
    return np.concatenate([piece[np.argsort(lengths[piece], kind="stable")] for piece in pieces])


def _longest_of_group(lengths: Rows, groups: Rows) -> Rows:
    """Return for each row the tokens of its group's longest row."""
    _, numbers = np.unique(groups, return_inverse=True)
    longest = np.zeros(numbers.max() + 1, dtype=np.int64)
    np.maximum.at(longest, numbers, lengths)
    return longest[numbers]


def _keep_together(rows: Rows, groups: Rows) -> Rows:
    """Order rows so that a group stands together, groups in the order of their first row."""
    first: dict[int, int] = {}
    for place, row in enumerate(rows):
        first.setdefault(int(groups[row]), place)
    return rows[np.argsort([first[int(groups[row])] for row in rows], kind="stable")]


def _cuts_between_groups(groups: Rows, batch_size: int) -> list[int]:
    """Return where rows that stand by group are cut, as near to equal batches as groups allow.

    There are as many batches as without groups, so that the number of updates does not depend on
    the order; hence some batches have more than `batch_size` rows. Only a larger group is cut.
    """
    edges = [0, *(np.flatnonzero(np.diff(groups)) + 1), len(groups)]
    starts = np.array([i for a, b in pairwise(edges) for i in range(a, b, batch_size)])
    count = math.ceil(len(groups) / batch_size)
    equal = np.arange(1, count) * (len(groups) / count)
    nearest = np.searchsorted((starts[1:] + starts[:-1]) / 2, equal)
    cuts: list[int] = []
    last = 0
    for i, wanted in enumerate(nearest, start=1):
        last = min(max(int(wanted), last + 1), len(starts) - (count - i))  # no batch is empty
        cuts.append(int(starts[last]))
    return cuts


def _interleave(by_task: Mapping[str, list[Rows]]) -> list[tuple[str, Rows]]:
    rounds = max(len(batches) for batches in by_task.values())
    return [
        (task, batches[i])
        for i in range(rounds)
        for task, batches in by_task.items()
        if i < len(batches)
    ]
