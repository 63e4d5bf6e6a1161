"""Metrics under weights are those of the rows repeated; intervals and tests hold in simulations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from benchmarks.evidence.power import ASSUMED, Assumed, detectable, power
from benchmarks.evidence.statistics import Scored, differences, holm, sign_test
from benchmarks.evidence.weighted import METRICS

REFERENCE = {
    "accuracy": metrics.accuracy_score,
    "f1": lambda gold, own: metrics.f1_score(gold, own, zero_division=0.0),
    "matthews": metrics.matthews_corrcoef,
    "pearson": lambda gold, own: stats.pearsonr(gold, own).statistic,
    "spearman": lambda gold, own: stats.spearmanr(gold, own).statistic,
}


@pytest.mark.parametrize("name", METRICS)
@settings(deadline=None)
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


def _arm(chances: np.ndarray, rng: np.random.Generator) -> Scored:
    """Return models, one a seed, that are right by these chances, (seeds, rows)."""
    gold = np.zeros(chances.shape[1])
    return Scored(("accuracy",), gold, (rng.random(chances.shape) >= chances).astype(float))


@pytest.mark.parametrize(
    ("seeds", "by_seed", "by_row"),
    [(3, 0.05, 0.0), (5, 0.05, 0.0), (5, 0.0, 0.0), (5, 0.0, 0.3), (5, 0.02, 0.2), (15, 0.02, 0.2)],
)
def test_intervals_hold_the_truth_as_often_as_they_say(
    seeds: int, by_seed: float, by_row: float
) -> None:
    rng = np.random.default_rng(seeds)
    rows, tries, held = 200, 150, 0
    for _ in range(tries):
        row = rng.normal(scale=by_row, size=(1, rows))
        own = 0.7 + row + rng.normal(scale=by_seed, size=(seeds, 1))
        theirs = 0.7 - row + rng.normal(scale=by_seed, size=(seeds, 1))
        pair = [_arm(np.clip(chances, 0, 1), rng) for chances in (own, theirs)]
        found = differences({"t": pair[0]}, {"t": pair[1]})["t"]
        held += found.low <= 0 <= found.high
    # 95 %, and less than one in a thousand that so many tries stray so far
    assert stats.binom.ppf(0.0005, tries, 0.95) <= held <= stats.binom.ppf(0.9995, tries, 0.985)


def test_the_chance_of_a_seed_on_a_row_is_not_counted_twice() -> None:
    rng = np.random.default_rng(9)
    wider = []
    for _ in range(30):  # rows are alike, so that what seeds differ by is all there is
        pair = [{"t": _arm(np.full((15, 300), 0.7), rng)} for _ in range(2)]
        found = differences(*pair)["t"]
        gaps = pair[0]["t"].scores - pair[1]["t"].scores
        plain = stats.ttest_1samp(gaps, 0).confidence_interval()
        wider.append((found.high - found.low) / (plain.high - plain.low))
    assert np.mean(wider) == pytest.approx(1.1, abs=0.1)


def test_an_arm_differs_from_itself_by_nothing() -> None:
    own = {"t": _arm(np.full((8, 200), 0.7), np.random.default_rng(1))}
    found = differences(own, own)["mean"]
    assert (found.mean, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_one_seed_has_no_interval() -> None:
    own = {"t": _arm(np.full((1, 200), 0.7), np.random.default_rng(1))}
    found = differences(own, own)["t"]
    assert (found.low, found.high, found.p) == (-np.inf, np.inf, None)


def test_tasks_count_the_same_in_the_mean() -> None:
    rng = np.random.default_rng(4)
    one = {"small": _arm(np.full((3, 50), 0.9), rng), "large": _arm(np.full((3, 900), 0.9), rng)}
    other = {"small": _arm(np.full((3, 50), 0.5), rng), "large": _arm(np.full((3, 900), 0.6), rng)}
    found = differences(one, other)
    assert found["mean"].mean == pytest.approx((found["small"].mean + found["large"].mean) / 2)
    assert found["large"].mean == pytest.approx(30, abs=5)


@settings(deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=8, max_size=8))  # whose sums are exact
def test_the_exact_test_is_scipys(gaps: list[float]) -> None:
    sample = np.array(gaps, dtype=float)
    found = stats.permutation_test((sample,), np.mean, permutation_type="samples",
                                   n_resamples=np.inf)  # fmt: skip
    assert sign_test(gaps) == pytest.approx(found.pvalue)


def test_few_seeds_have_no_p() -> None:
    assert sign_test([1.0] * 7) is None
    assert sign_test([1.0] * 8) == pytest.approx(2 / 2**8)


def test_holm() -> None:
    # Holm 1979: the least times 3, the next times 2, never less than those before
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03})
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


def test_power_is_that_of_the_interval_in_simulation() -> None:
    assumed = {"one": Assumed(2.0, 0.001), "two": Assumed(1.0, 0.001)}
    rng = np.random.default_rng(7)
    means = rng.normal(1.5, (2.0**2 + 1.0**2) ** 0.5 / 2, size=(4000, 5))
    found = stats.ttest_1samp(means, 0, axis=1)
    simulated = float(np.mean((found.pvalue < 0.05) & (found.statistic > 0)))
    assert power(1.5, assumed, 5) == pytest.approx(simulated, abs=0.03)
    assert power(detectable(ASSUMED, 15), ASSUMED, 15) == pytest.approx(0.8)
