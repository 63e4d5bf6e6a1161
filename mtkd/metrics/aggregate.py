"""From several scores to one, by the rules of the GLUE leaderboard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from statistics import fmean

from mtkd.task import Task

_NOT_COUNTED = {"ax"}  # the diagnostic set has its own column on the leaderboard


def task_score(task: Task, metrics: Mapping[str, float]) -> float:
    """Return the mean of a task's metrics, as a fraction.

    Args: metrics: what `score` returned, in [-1, 1].
    Raises: KeyError: a metric of the task's card is missing.
    """
    return fmean(metrics[name] for name in task.metrics)


def glue_average(scores: Mapping[str, float]) -> float:
    """Return the macro average over tasks, as a fraction.

    Args: scores: task scores by task ("rte") or by task and split ("mnli/dev_matched"); splits of
        one task are averaged first, so that MNLI counts once. AX does not count.
    Raises: ValueError: nothing that counts.
    Source: Wang et al. 2018 (GLUE), section 4, and the leaderboard.
    """
    by_task = defaultdict(list)
    for name, value in scores.items():
        by_task[name.split("/")[0]].append(value)
    counted = [fmean(values) for task, values in by_task.items() if task not in _NOT_COUNTED]
    if not counted:
        raise ValueError(f"no score counts towards the average, in {sorted(scores)}")
    return fmean(counted)
