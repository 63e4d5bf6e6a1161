import itertools

import numpy as np
import pytest
from scipy.special import rel_entr

from mtkd.inspection.diversity import Decompositions, Divergences
from tests.inspection.made import chunk, part, probabilities


def decomposition(*chunks):
    found = Decompositions()
    for rows in chunks:
        found.add(rows)
    return found.result()


def divergence(*chunks):
    found = Divergences(chunks[0].teachers.shape[1])
    for rows in chunks:
        found.add(rows)
    return found.result()


@pytest.mark.parametrize("teachers", [1, 2, 5])
def test_the_brier_score_of_the_mean_is_the_mean_brier_score_less_the_ambiguity(teachers):
    rows = probabilities(1000, teachers=teachers, classes=4)

    found = decomposition(part(rows, slice(0, 333)), part(rows, slice(333, 1000)))

    assert found.error_of_mean == pytest.approx(found.mean_error - found.ambiguity, abs=1e-12)
    known = np.isfinite(rows.gold)
    one_hot = np.eye(4)[rows.gold[known].astype(int)]
    mean = rows.teachers[known].mean(axis=1)
    assert found.error_of_mean == pytest.approx(((mean - one_hot) ** 2).sum(axis=1).mean())
    assert (found.ambiguity > 0.01) == (teachers > 1)


def test_the_decomposition_holds_for_the_squared_error_of_scores():
    random = np.random.default_rng(0)
    gold = random.uniform(0, 5, size=200)
    scores = gold[:, None, None] + random.normal(size=(200, 3, 1))

    found = decomposition(chunk(scores, gold))

    assert found.error_of_mean == pytest.approx(found.mean_error - found.ambiguity, abs=1e-12)
    assert found.error_of_mean == pytest.approx(((scores[:, :, 0].mean(1) - gold) ** 2).mean())
    assert found.ambiguity == pytest.approx(scores[:, :, 0].var(axis=1).mean())


def test_it_is_of_the_plain_mean_whatever_the_stores_ensemble():
    rows = probabilities(100)
    other = chunk(rows.teachers, rows.gold, rows.teachers[:, 0])

    assert decomposition(rows) == decomposition(other)


def test_kl_of_every_ordered_pair_is_scipys():
    rows = probabilities(200)

    found = divergence(part(rows, slice(0, 50)), part(rows, slice(50, 200)))

    expected = np.zeros((3, 3))
    for i, j in itertools.permutations(range(3), 2):
        expected[i, j] = rel_entr(rows.teachers[:, i], rows.teachers[:, j]).sum(axis=1).mean()
    assert found.kl == pytest.approx(expected, abs=1e-12)
    assert found.mean_kl == pytest.approx(expected.sum() / 6, abs=1e-12)
    assert found.kl[0, 1] != pytest.approx(found.kl[1, 0], abs=1e-6)


def test_teachers_of_one_mind_differ_by_nothing():
    rows = probabilities(100, teachers=1)
    twins = chunk(np.repeat(rows.teachers, 3, axis=1), rows.gold)

    assert divergence(twins).mean_kl == 0
    assert decomposition(twins).ambiguity == pytest.approx(0, abs=1e-15)


def test_a_class_that_one_teacher_rules_out_leaves_kl_finite():
    rows = chunk(np.array([[[1.0, 0.0], [0.5, 0.5]]]), [0])

    found = divergence(rows)

    assert found.kl[0, 1] == pytest.approx(np.log(2))
    assert found.kl[1, 0] == pytest.approx(
        0.5 * np.log(0.5) + 0.5 * (np.log(0.5) + 103.28), abs=0.01
    )
