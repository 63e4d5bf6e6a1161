"""One task's rows to batches of rows of like length."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mtkd.recipe.training import TrainingSettings

Rows = NDArray[np.int64]


def pack(
    lengths: Rows,
    settings: TrainingSettings,
    rng: np.random.Generator,
    groups: Rows | None = None,
) -> list[Rows]:
    """Return every row once, in batches: of `batch_size` rows, or of at most `max_tokens`.

    Rows are shuffled, and within windows of `bucket_batches` batches sorted by length, but for half
    a batch up or down: in a task of one window the same rows would meet in every epoch.

    Args: lengths: tokens of every row. groups: the group of each row where rows belong together
        (the candidates of one question): a group lies in one batch unless it is larger than a
        batch, and a batch by `batch_size` may then have some rows more or fewer.
    """
    rows = rng.permutation(len(lengths))
    tokens = lengths if groups is None else _longest_of_group(lengths, groups)
    if settings.bucket_batches > 1:
        rows = _sort_within_windows(rows, tokens, settings, rng)
    if groups is not None:
        rows = _keep_together(rows, groups)
    if settings.max_tokens is not None:
        own = None if groups is None else groups[rows]
        return np.split(rows, _cuts_by_tokens(lengths[rows], settings.max_tokens, own))
    if groups is None:
        return np.split(rows, range(settings.rows_per_update, len(rows), settings.rows_per_update))
    return np.split(rows, _cuts_between_groups(groups[rows], settings.rows_per_update))


def _sort_within_windows(
    rows: Rows, lengths: Rows, settings: TrainingSettings, rng: np.random.Generator
) -> Rows:
    size = settings.rows_per_update
    if settings.max_tokens is not None:
        size = max(1, settings.max_tokens // math.ceil(lengths.mean()))
    window = size * settings.bucket_batches
    pieces = [rows[i : i + window] for i in range(0, len(rows), window)]
    return np.concatenate(
        [_nearly_sorted(piece, lengths[piece], size / 2, rng) for piece in pieces]
    )


def _nearly_sorted(rows: Rows, lengths: Rows, places: float, rng: np.random.Generator) -> Rows:
    """Sort by length, each row then moved by up to `places`, at random."""
    ordered = rows[np.argsort(lengths, kind="stable")]
    moved = np.arange(len(rows)) + rng.uniform(-places, places, len(rows))
    return ordered[np.argsort(moved, kind="stable")]


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


def _cuts_by_tokens(lengths: Rows, max_tokens: int, groups: Rows | None) -> list[int]:
    """Return where rows are cut so that rows x longest, padding included, is at most `max_tokens`.

    A row that is longer is a batch of its own. Rows of a group stand together and stay so, unless
    the group alone is too large.
    """
    tokens = lengths.tolist()  # of a million rows, an array's own max takes seconds
    cuts: list[int] = []
    begin = longest = 0
    for start, end in _blocks(tokens, max_tokens, groups):
        own = max(tokens[start:end])
        longest = max(longest, own)
        if start > begin and (end - begin) * longest > max_tokens:
            cuts.append(start)
            begin, longest = start, own
    return cuts


def _blocks(tokens: list[int], max_tokens: int, groups: Rows | None) -> list[tuple[int, int]]:
    """Return (start, end) of rows that may not be torn."""
    if groups is None:
        return [(i, i + 1) for i in range(len(tokens))]
    edges = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), len(groups)]
    blocks: list[tuple[int, int]] = []
    for start, end in pairwise(edges):
        too_large = (end - start) * max(tokens[start:end]) > max_tokens
        blocks += [(i, i + 1) for i in range(start, end)] if too_large else [(start, end)]
    return blocks
