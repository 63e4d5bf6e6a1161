"""Which settings fit in the memory there is, once it is known what a step with each needs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from mtkd.recipe import TrainingSettings
from mtkd.training.goal import Source

NeedOf = Callable[[TrainingSettings], float]  # bytes that a step with these settings needs


@dataclasses.dataclass(frozen=True)
class Load:
    """What bounds a task's batches: its rows, tokens of the longest, rows of the largest group."""

    rows: int
    longest: int
    largest_group: int = 1  # 1: rows do not belong together

    @classmethod
    def of(cls, task: Source) -> Load:
        """Return the load of a task's chosen rows."""
        group = 1
        if task.ranked:
            group = int(np.unique(task.rows.groups[task.places], return_counts=True)[1].max())
        return cls(len(task.places), int(task.rows.lengths[task.places].max()), group)

    def batch(self, settings: TrainingSettings) -> int:
        """Return the most rows of a batch that holds the longest row, in any epoch.

        Every batch is padded to its longest row, so that some full batch costs as much.
        """
        if settings.max_tokens is not None:
            return min(self.rows, max(1, math.ceil(settings.max_tokens / self.longest)))
        rows = settings.rows_per_update
        whole_groups = 0 if self.largest_group == 1 else min(self.largest_group, rows)
        return min(self.rows, rows + whole_groups)

    def at_once(self, settings: TrainingSettings, processes: int) -> int:
        """Return the most rows that one process runs at a time, were all as long as the longest."""
        rows = self.batch(settings)
        more = self.largest_group - 1  # a part ends where a group does
        if settings.max_tokens is not None:
            more += 1  # batches of short rows have more rows, which divide less evenly
        for parts in (settings.accumulation, processes):
            if parts > 1:
                rows = min(rows, math.ceil(rows / parts) + more)
        return rows


def choose(
    settings: TrainingSettings, need: NeedOf, available: float, most: int, checkpointing: bool
) -> TrainingSettings | None:
    """Return settings for the same updates that fit: pieces doubled, then checkpointing as well.

    Args: most: pieces beyond which no piece gets smaller. checkpointing: whether it can be had.
    """
    ways = [True] if settings.gradient_checkpointing else [False, *[True] * checkpointing]
    for way in ways:
        for pieces in _doubled(settings.accumulation, most):
            candidate = changed(settings, accumulation=pieces, gradient_checkpointing=way)
            if need(candidate) <= available:
                return candidate
    return None


def smallest_accumulation(
    settings: TrainingSettings, need: NeedOf, available: float, most: int
) -> int | None:
    """Return the fewest pieces of a batch that fit, more than now; None where none do."""
    return _first(
        range(settings.accumulation + 1, most + 1),
        lambda pieces: need(changed(settings, accumulation=pieces)) <= available,
    )


def largest_batch(
    settings: TrainingSettings, key: str, need: NeedOf, available: float
) -> int | None:
    """Return the largest value of `batch_size` or `max_tokens` that fits, less than now."""
    now = settings.max_tokens if key == "max_tokens" else settings.rows_per_update
    assert now is not None
    return _first(
        range(now - 1, 0, -1), lambda value: need(changed(settings, **{key: value})) <= available
    )


def ways_out(
    settings: TrainingSettings, need: NeedOf, available: float, most: int, checkpointing: bool
) -> list[str]:
    """Return what to set so that it fits, each by itself; empty where nothing helps."""
    ways = []
    if pieces := smallest_accumulation(settings, need, available, most):
        ways.append(f"training.accumulation={pieces}, the same updates in smaller pieces")
    if checkpointing and not settings.gradient_checkpointing:
        lean = changed(settings, gradient_checkpointing=True)
        if need(lean) <= available:
            ways.append("training.gradient_checkpointing=true, the same updates a third slower")
        elif not pieces and (pieces := smallest_accumulation(lean, need, available, most)):
            ways.append(f"training.gradient_checkpointing=true training.accumulation={pieces}")
    key = "batch_size" if settings.max_tokens is None else "max_tokens"
    if value := largest_batch(settings, key, need, available):
        ways.append(f"training.{key}={value}, other updates")
    return ways


def changed(settings: TrainingSettings, **changes: object) -> TrainingSettings:
    """Return a copy of settings with some changed."""
    return settings.model_copy(update=changes)


def _doubled(first: int, most: int) -> Iterable[int]:
    pieces = first
    while pieces < most:
        yield pieces
        pieces *= 2
    yield max(first, most)


def _first(values: Sequence[int], fits: Callable[[int], bool]) -> int | None:
    """Return the first value that fits, all later ones fitting too; None where none fits."""
    if not values or not fits(values[-1]):
        return None
    low, high = 0, len(values) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(values[middle]) else (middle + 1, high)
    return values[low]
