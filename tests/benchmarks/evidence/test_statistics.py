"""Metrics under weights are those of the rows repeated; intervals and tests have known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from benchmarks.evidence.statistics import (
    Scored,
    differences,
    holm,
    permutation_test,
)
from benchmarks.evidence.weighted import METRICS

REFERENCE = {
    "accuracy": metrics.accuracy_score,
    "f1": lambda gold, own: metrics.f1_score(gold, own, zero_division=0.0),
    "matthews": metrics.matthews_corrcoef,
    "pearson": lambda gold, own: stats.pearsonr(gold, own).statistic,
    "spearman": lambda gold, own: stats.spearmanr(gold, own).statistic,
}


@pytest.mark.parametrize("name", METRICS)
@given(seed=st.integers(0, 10_000))
def test_a_weight_counts_a_row_so_often(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = 30
    classes = name in {"accuracy", "f1", "matthews"}
    high = 2 if classes else 8  # few values, so that there are ties
    gold, own = rng.integers(high, size=(2, rows)).astype(float)
    weights = rng.multinomial(rows, np.full(rows, 1 / rows), size=3).astype(float)
    found = METRICS[name](gold, own, weights)
    for value, counts in zip(found, weights.astype(int), strict=True):
        often, ours = np.repeat(gold, counts), np.repeat(own, counts)
        if np.ptp(often) == 0 or np.ptp(ours) == 0:
            continue
        assert value == pytest.approx(REFERENCE[name](often, ours), abs=1e-9)


@pytest.mark.parametrize("name", ["matthews", "pearson", "spearman"])
def test_a_constant_prediction_has_correlation_0(name: str) -> None:
    gold = np.array([0.0, 1, 1, 0])
    assert METRICS[name](gold, np.ones(4), np.ones((1, 4)))[0] == 0.0


def _arm(gold: np.ndarray, wrong: float, seeds: int, rng: np.random.Generator) -> Scored:
    flips = rng.random((seeds, len(gold))) < wrong
    return Scored(("accuracy",), gold, np.where(flips, 1 - gold, gold))


def test_an_arm_differs_from_itself_by_nothing() -> None:
    rng = np.random.default_rng(1)
    own = {"t": _arm(rng.integers(2, size=200).astype(float), 0.3, 3, rng)}
    found = differences(own, own, draws=100)
    assert (found["mean"].mean, found["mean"].low, found["mean"].high) == (0.0, 0.0, 0.0)
    assert permutation_test(own["t"], own["t"], draws=100) == 1.0


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(100):
        gold = rng.integers(2, size=300).astype(float)
        one, other = (_arm(gold, wrong, 5, rng) for wrong in (0.2, 0.3))
        interval = differences({"t": one}, {"t": other}, draws=200)["t"]
        held += interval.low <= 10.0 <= interval.high
    assert held >= 88


def test_rows_alone_make_an_interval_of_their_own_width() -> None:
    rng = np.random.default_rng(5)
    gold = rng.integers(2, size=400).astype(float)
    one, other = (_arm(gold, wrong, 1, rng) for wrong in (0.2, 0.3))
    gaps = (one.predicted == gold).astype(float) - (other.predicted == gold)
    error = 100 * float(np.std(gaps)) / 20
    found = differences({"t": one}, {"t": other})["t"]
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_seeds_alone_make_an_interval_of_their_own_width() -> None:
    rng = np.random.default_rng(6)
    gold = rng.integers(2, size=20_000).astype(float)
    parts = [_arm(gold, wrong, 1, rng).predicted for wrong in np.linspace(0.1, 0.3, 10)]
    one = Scored(("accuracy",), gold, np.concatenate(parts))
    other = Scored(("accuracy",), gold, np.tile(gold, (10, 1)))
    found = differences({"t": one}, {"t": other}, draws=500)["t"]
    error = float(np.std(one.scores)) / 10**0.5
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_p_is_uniform_where_there_is_no_difference_and_small_where_there_is() -> None:
    rng = np.random.default_rng(3)
    p_values = []
    for _ in range(60):
        gold = rng.integers(2, size=200).astype(float)
        one, other = (_arm(gold, 0.3, 3, rng) for _ in range(2))
        p_values.append(permutation_test(one, other, draws=200))
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    gold = rng.integers(2, size=200).astype(float)
    one, other = (_arm(gold, wrong, 3, rng) for wrong in (0.1, 0.3))
    assert permutation_test(one, other, draws=200) < 0.02


def test_tasks_count_the_same_in_the_mean() -> None:
    rng = np.random.default_rng(4)
    one, other = {}, {}
    for task, rows in (("small", 50), ("large", 1000)):
        gold = rng.integers(2, size=rows).astype(float)
        one[task], other[task] = _arm(gold, 0.1, 2, rng), _arm(gold, 0.4, 2, rng)
    found = differences(one, other, draws=50)
    assert found["mean"].mean == pytest.approx((found["small"].mean + found["large"].mean) / 2)


def test_holm() -> None:
    # Holm 1979: the least times 3, the next times 2, never less than those before
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06}
    )
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}
