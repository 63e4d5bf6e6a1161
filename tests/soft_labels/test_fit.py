"""What is fitted on dev: temperatures that calibrate, weights that favour the better teacher."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from mtkd.soft_labels.fit import fit_temperature, fit_weights, weights_by_score

RNG = np.random.default_rng(0)


def draw(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gold labels that follow softmax(logits) exactly."""
    chances = softmax(logits, axis=1).cumsum(axis=1)
    return (RNG.random((len(logits), 1)) > chances).sum(axis=1).astype(np.float64)


def nll(logits: NDArray[np.float64], gold: NDArray[np.float64]) -> float:
    return float(-log_softmax(logits, axis=1)[np.arange(len(gold)), gold.astype(int)].mean())


def test_the_temperature_of_an_overconfident_teacher_is_found() -> None:
    honest = RNG.normal(0, 2, (20_000, 3))
    gold = draw(honest)
    assert abs(fit_temperature(honest * 2.5, gold) - 2.5) < 0.1
    assert abs(fit_temperature(honest * 0.5, gold) - 0.5) < 0.05


def test_a_teacher_that_knows_nothing_gets_no_weight() -> None:
    honest = RNG.normal(0, 2, (5_000, 3))
    noise = RNG.normal(0, 2, (5_000, 3))
    weights = fit_weights(np.stack([honest, noise], axis=1), draw(honest), regression=False)
    np.testing.assert_allclose(weights, [1.0, 0.0], atol=0.1)


def test_fitted_weights_are_at_least_as_likely_as_equal_ones_and_never_negative() -> None:
    honest = RNG.normal(0, 1, (300, 2))
    views = np.stack([honest + RNG.normal(0, s, honest.shape) for s in (0.5, 1, 2)], axis=1)
    gold = draw(honest)
    weights = np.array(fit_weights(views, gold, regression=False))
    assert (weights >= 0).all()
    pooled, equal = np.einsum("k,nkc->nc", weights, views), views.mean(axis=1)
    assert nll(pooled, gold) <= nll(equal, gold) + 1e-6


def test_weights_of_scores_sum_to_one_and_favour_the_closer_teacher() -> None:
    gold = RNG.uniform(0, 5, 2_000)
    views = np.stack([gold + RNG.normal(0, s, 2_000) for s in (0.5, 1.0)], axis=1)[:, :, None]
    weights = fit_weights(views, gold, regression=True)
    assert abs(sum(weights) - 1) < 1e-6
    np.testing.assert_allclose(weights, [0.8, 0.2], atol=0.05)  # inverse to the variances


def test_weights_by_score_are_in_proportion_and_equal_where_nobody_scores() -> None:
    np.testing.assert_allclose(weights_by_score(np.array([0.6, 0.2])), [0.75, 0.25])
    np.testing.assert_allclose(weights_by_score(np.array([0.5, -0.5])), [1, 0])
    np.testing.assert_allclose(weights_by_score(np.array([0.0, -0.5])), [0.5, 0.5])


def test_a_few_rows_that_are_all_right_do_not_make_the_pool_surer_without_end() -> None:
    gold = np.array([0.0, 1.0] * 12)
    right = np.where(gold[:, None] == np.arange(2), 1.0, -1.0)
    views = np.stack([right, RNG.normal(0, 1, right.shape)], axis=1)
    weights = fit_weights(views, gold, regression=False)
    assert abs(sum(weights) - 1) < 1e-9
    assert weights[0] > 0.9
