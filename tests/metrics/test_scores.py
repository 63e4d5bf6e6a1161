"""Scores are what their formulas say, and undefined ones are refused or named."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import evaluate
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtkd.errors import DataError, Diverged, ShapeError
from mtkd.metrics import (
    check_gold,
    glue_average,
    is_constant,
    majority,
    predictions,
    score,
    task_score,
)
from mtkd.metrics.glue_metric import GlueMetric
from mtkd.task import Task, load_task

COLA, MRPC, MNLI, STSB = (load_task(name) for name in ("cola", "mrpc", "mnli", "stsb"))
RTE = load_task("rte")
SCORES = st.integers(0, 500).map(lambda hundredths: hundredths / 100)


def one_hot(classes: list[int], width: int) -> NDArray[np.float32]:
    return np.eye(width, dtype=np.float32)[classes]


def column(scores: list[float]) -> NDArray[np.float32]:
    return np.asarray(scores, dtype=np.float32)[:, None]


def confusion(predicted: list[int], gold: list[int]) -> tuple[int, int, int, int]:
    pairs = list(zip(predicted, gold, strict=True))
    return tuple(pairs.count(cell) for cell in [(1, 1), (1, 0), (0, 1), (0, 0)])


def test_a_regression_prediction_is_its_column_not_an_argmax_over_it() -> None:
    logits = column([0.5, 2.5, 4.75])
    assert predictions(STSB, logits).tolist() == [0.5, 2.5, 4.75]
    assert score(STSB, logits, [0.0, 2.0, 5.0])["spearman"] == pytest.approx(1.0)


def test_a_class_is_the_largest_of_its_row() -> None:
    logits = np.array([[0.1, 3.0, 2.9], [-5.0, -6.0, -4.0]])
    assert predictions(MNLI, logits).tolist() == [1, 2]


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 2), (4, 3, 1)])
def test_logits_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"mnli: expected logits of shape \(rows, 3\)"):
        predictions(MNLI, np.zeros(shape))
    with pytest.raises(ShapeError, match="stsb"):
        predictions(STSB, np.zeros((4, 2)))


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_are_refused_not_given_a_class(broken: float) -> None:
    logits = np.zeros((5, 2))
    logits[3, 1] = broken
    with pytest.raises(Diverged, match=r"1 of 5 rows .* the first is row 3"):
        predictions(MRPC, logits)


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=2, max_size=30).filter(
        lambda rows: len({gold for _, gold in rows}) == 2
    )
)
@settings(max_examples=60, deadline=None)
def test_classification_scores_are_those_of_the_formulas(rows: list[tuple[int, int]]) -> None:
    predicted, gold = (list(side) for side in zip(*rows, strict=True))
    tp, fp, fn, tn = confusion(predicted, gold)
    f1 = 2 * tp / (2 * tp + fp + fn)
    spread = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    matthews = (tp * tn - fp * fn) / spread if spread else 0.0
    assert score(MRPC, one_hot(predicted, 2), gold) == pytest.approx(
        {"accuracy": (tp + tn) / len(gold), "f1": f1}
    )
    assert score(COLA, one_hot(predicted, 2), gold) == pytest.approx({"matthews": matthews})


def ranks(values: NDArray) -> NDArray:
    """Mean rank of each value, ties sharing theirs."""
    below = (values[None, :] < values[:, None]).sum(1)
    same = (values[None, :] == values[:, None]).sum(1)
    return below + (same + 1) / 2


@given(
    st.lists(st.tuples(SCORES, SCORES), min_size=3, max_size=30).filter(
        lambda rows: len({r[0] for r in rows}) > 1 and len({r[1] for r in rows}) > 1
    )
)
@settings(max_examples=60, deadline=None)
def test_regression_scores_are_those_of_the_formulas(rows: list[tuple[float, float]]) -> None:
    predicted, gold = np.float32([row[0] for row in rows]), np.array([row[1] for row in rows])
    assert score(STSB, predicted[:, None], gold) == pytest.approx(
        {
            "pearson": np.corrcoef(predicted.astype(np.float64), gold)[0, 1],
            "spearman": np.corrcoef(ranks(predicted), ranks(gold))[0, 1],
        },
        abs=1e-9,
    )


def test_f1_is_that_of_the_class_the_card_calls_positive() -> None:
    flipped = Task.model_validate(MRPC.model_dump() | {"positive": "not_equivalent"})
    logits, gold = one_hot([0, 0, 0, 1], 2), [0, 0, 1, 1]
    assert score(flipped, logits, gold)["f1"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 0))
    assert score(MRPC, logits, gold)["f1"] == pytest.approx(2 * 1 / (2 * 1 + 0 + 1))


def test_a_prediction_that_never_varies_scores_zero_without_a_warning() -> None:
    assert score(STSB, column([2.7] * 4), [0, 1, 2, 3]) == {"pearson": 0.0, "spearman": 0.0}
    noise = np.array([[2.5], [2.5 + 4e-16], [2.5], [2.5]])  # scipy warns of nearly constant input
    assert score(STSB, noise, [0, 1, 2, 3])["pearson"] == 0.0
    assert score(COLA, one_hot([1, 1, 1], 2), [0, 1, 1]) == {"matthews": 0.0}
    assert score(MRPC, one_hot([0, 0, 0], 2), [0, 1, 1])["f1"] == 0.0


@pytest.mark.parametrize(
    ("task", "gold", "said"),
    [
        (COLA, [1, 1, 1], r"cola/dev: matthews cannot .* all 3 gold labels are 'acceptable'"),
        (MRPC, [0, 0, 0], r"mrpc/dev: f1 cannot .* all 3 gold labels are 'not_equivalent'"),
        (STSB, [2.5, 2.5, 2.5], r"stsb/dev: pearson and spearman cannot .* labels are '2.5'"),
        (STSB, [2.5], "pearson and spearman cannot"),
        (RTE, [], "rte/dev: no rows to score"),
        (RTE, [1, None, -1], r"2 of 3 rows have no gold label, the first is row 1"),
        (RTE, [1, 0, 2], r"1 of 3 rows have no gold label, the first is row 2"),
        (STSB, [1.0, math.nan], r"1 of 2 rows have no gold label, the first is row 1"),
    ],
)
def test_gold_labels_that_leave_a_metric_undefined_are_refused(
    task: Task, gold: list[float | None], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        check_gold(task, "dev", gold)


def test_one_class_is_enough_for_accuracy() -> None:
    assert score(RTE, one_hot([0, 1], 2), [0, 0]) == {"accuracy": 0.5}


def test_gold_labels_are_never_broadcast() -> None:
    with pytest.raises(ShapeError, match=r"expected gold labels of shape \(rows,\)"):
        score(STSB, column([1, 2, 3]), np.array([[1.0], [2.0], [3.0]]))
    with pytest.raises(ShapeError, match="3 rows of logits for 2 gold labels"):
        score(RTE, one_hot([0, 1, 1], 2), [0, 1])


def test_the_metric_leaves_no_folder_and_no_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evaluate.config, "HF_METRICS_CACHE", str(tmp_path / "cache"))
    metric = GlueMetric(RTE)
    for _ in range(2):  # evaluate keeps state between calls
        found = metric.compute(predictions=np.array([0, 1, 1]), references=np.array([0, 1, 0]))
        assert found == {"accuracy": pytest.approx(2 / 3)}
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_importing_the_scores_does_not_load_evaluate() -> None:
    code = "import sys, mtkd.metrics; sys.exit(bool({'evaluate', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_task_counts_the_mean_of_its_metrics() -> None:
    assert task_score(MRPC, {"f1": 0.9, "accuracy": 0.8, "loss": 7.0}) == pytest.approx(0.85)


def test_mnli_counts_once_and_ax_not_at_all() -> None:
    scores = {"rte": 0.6, "mnli/dev_matched": 0.9, "mnli/dev_mismatched": 0.7, "ax/test": 0.0}
    assert glue_average(scores) == pytest.approx((0.6 + 0.8) / 2)
    with pytest.raises(ValueError, match="no score counts"):
        glue_average({"ax": 0.3})


def test_the_majority_of_train_is_a_prediction_like_any_other() -> None:
    logits = majority(RTE, [1, 1, 0, 1], 3)
    assert logits.shape == (3, 2)
    assert score(RTE, logits, [1, 0, 1]) == {"accuracy": pytest.approx(2 / 3)}
    assert majority(STSB, [1.0, 2.0, 4.5], 2).tolist() == [[2.5], [2.5]]


def test_of_equally_frequent_classes_the_first_is_the_majority() -> None:
    assert predictions(MNLI, majority(MNLI, [2, 1, 1, 2], 1)).tolist() == [1]


@pytest.mark.parametrize(
    ("task", "logits", "constant"),
    [
        (RTE, np.array([[0.0, 1.0], [0.3, 0.4]]), True),
        (RTE, np.array([[0.0, 1.0], [0.4, 0.3]]), False),
        (RTE, np.array([[0.0, 1.0]]), False),
        (STSB, np.array([[2.5], [2.5 + 2e-7]]), True),
        (STSB, np.array([[2.5], [2.51]]), False),
    ],
)
def test_a_collapse_is_noticed(task: Task, logits: NDArray, constant: bool) -> None:
    assert is_constant(task, logits) is constant


@pytest.mark.parametrize("task", [RTE, MNLI, STSB], ids=lambda task: task.name)
def test_a_majority_baseline_is_a_collapse(task: Task) -> None:
    assert is_constant(task, majority(task, [0, 1, 1], 4))
