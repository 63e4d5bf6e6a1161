"""How many batches each task gives to an epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping

from mtkd.errors import DataError, RecipeError
from mtkd.recipe.training import Sampling


def batches_per_task(
    available: Mapping[str, int], sampling: Sampling, epoch: int, epochs: int
) -> dict[str, int]:
    """Return the number of batches each task gives to `epoch` (counted from 0).

    Args: available: batches that hold each of a task's rows once.
    Returns: counts; their sum is that of `available`, but for main_auxiliary. A task never gets
        none. Counts are shares rounded by largest remainder, not drawn, so they do not scatter.
    Raises: DataError: a task has no rows. RecipeError: main_auxiliary without its main task, or a
        task that is never drawn, whose head would stay as it was made.
    """
    tasks = sorted(available)
    if empty := [task for task in tasks if available[task] < 1]:
        raise DataError(f"{', '.join(empty)}: no rows to train on; leave it out of tasks")
    counts = _shared_out({task: available[task] for task in tasks}, sampling, epoch, epochs)
    if never := [task for task in tasks if counts.get(task, 0) < 1]:
        raise RecipeError(
            f"training.sampling: strategy {sampling.strategy} draws no batch of {', '.join(never)} "
            f"in epoch {epoch + 1}, of {sum(counts.values())} batches in all; take another "
            "strategy or exponent, or leave it out of tasks"
        )
    return counts


def _shared_out(
    available: Mapping[str, int], sampling: Sampling, epoch: int, epochs: int
) -> dict[str, int]:
    if sampling.strategy == "proportional":
        return dict(available)
    if sampling.strategy == "main_auxiliary":
        return _main_and_auxiliary(available, sampling)
    exponent = _exponent(sampling, epoch, epochs)
    shares = {task: count**exponent for task, count in available.items()}
    return _apportion(shares, sum(available.values()))


def _exponent(sampling: Sampling, epoch: int, epochs: int) -> float:
    if sampling.strategy == "sqrt":
        return 0.5
    if sampling.strategy == "round_robin":
        return 0.0
    assert sampling.sampling_exponent is not None  # the schema sees to it
    if sampling.strategy == "annealed":  # from 1 in the first epoch to the exponent in the last
        done = min(1.0, epoch / max(epochs - 1, 1))  # by `max_steps` there may be more of them
        return 1.0 - (1.0 - sampling.sampling_exponent) * done
    return sampling.sampling_exponent


def _main_and_auxiliary(available: Mapping[str, int], sampling: Sampling) -> dict[str, int]:
    main, ratio = sampling.main, sampling.ratio
    assert main is not None
    assert ratio is not None
    others = {task: float(n) for task, n in sorted(available.items()) if task != main}
    if main not in available and len(available) > 1:
        raise RecipeError(f"sampling.main: {main} is not among the tasks trained together "
                          f"({', '.join(sorted(available))})")  # fmt: skip
    if main not in available or not others:  # one task, as when each is fine-tuned by itself
        return dict(available)
    wanted = max(len(others), round(ratio * available[main]))
    return {main: available[main]} | _apportion(others, wanted)


def _apportion(shares: Mapping[str, float], total: int) -> dict[str, int]:
    """Share `total` out in proportion, by largest remainder; who gets none has 1 of the largest.

    Args: total: at least the number of shares.
    """
    whole = sum(shares.values())
    exact = {task: total * share / whole for task, share in shares.items()}
    counts = {task: math.floor(x) for task, x in exact.items()}
    left = total - sum(counts.values())
    by_remainder = sorted(exact, key=lambda task: (counts[task] - exact[task], task))
    for task in by_remainder[:left]:
        counts[task] += 1
    for task in counts:
        if counts[task] == 0:
            counts[max(counts, key=counts.__getitem__)] -= 1
            counts[task] = 1
    return counts
