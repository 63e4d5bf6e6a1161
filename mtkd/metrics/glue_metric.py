"""The task's metrics as a local `evaluate.Metric`: its hub scripts need a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import evaluate
import numpy as np
from datasets import Features, Value
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from mtkd.task import Task

_AS_GOOD_AS_CONSTANT = 1e-13  # relative; scipy's own threshold, below which it warns of noise

_CORRELATIONS: dict[str, Callable[..., Any]] = {"pearson": pearsonr, "spearman": spearmanr}


class GlueMetric(evaluate.Metric):
    """The metrics of one task: `GlueMetric(task).compute(predictions=..., references=...)`.

    Both are class indices into task.labels, or scores. Returns metric -> fraction in [-1, 1].
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        super().__init__(config_name=task.name, keep_in_memory=True, seed=0)

    def _build_data_dir(self) -> str:
        # evaluate makes a folder in the home of its cache, which may be read-only, even where
        # everything stays in memory.
        return ""

    def _info(self) -> evaluate.MetricInfo:
        kind = "int64" if self.task.kind == "classification" else "float64"
        return evaluate.MetricInfo(
            description=f"{self.task.title}: {', '.join(self.task.metrics)}",
            citation="Wang et al. 2018, GLUE, arXiv 1804.07461",
            features=Features({"predictions": Value(kind), "references": Value(kind)}),
        )

    def _compute(
        self, *, predictions: Sequence[float], references: Sequence[float]
    ) -> dict[str, float]:
        # Not by `format="numpy"` above: datasets would make them float32.
        predicted, gold = np.asarray(predictions), np.asarray(references)
        return {name: _compute_one(name, self.task, predicted, gold) for name in self.task.metrics}


def _compute_one(name: str, task: Task, predictions: NDArray, references: NDArray) -> float:
    if name == "accuracy":
        return float(accuracy_score(references, predictions))
    if name == "f1":
        assert task.positive is not None  # the card requires it of a task with F1
        positive = task.labels.index(task.positive)
        return float(f1_score(references == positive, predictions == positive, zero_division=0.0))
    if name == "matthews":
        return float(matthews_corrcoef(references, predictions))
    return _correlation(_CORRELATIONS[name], predictions, references)


def _correlation(function: Callable[..., Any], predictions: NDArray, references: NDArray) -> float:
    """Return a correlation, 0 where the predictions never vary: it is then undefined."""
    spread = np.linalg.norm(predictions - predictions.mean())
    if spread <= _AS_GOOD_AS_CONSTANT * abs(predictions.mean()):
        return 0.0
    return float(function(predictions, references).statistic)
