"""Scores: of a split, of a task, of the whole of GLUE, and what guessing would score.

`GlueMetric` is not imported here: `evaluate` takes seconds to load, and `score` does it when used.
"""

from mtkd.metrics.aggregate import glue_average, task_score
from mtkd.metrics.baseline import is_constant, majority
from mtkd.metrics.scores import check_gold, score
from mtkd.task.decode import predictions

__all__ = [
    "check_gold",
    "glue_average",
    "is_constant",
    "majority",
    "predictions",
    "score",
    "task_score",
]
