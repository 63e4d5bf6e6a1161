import itertools

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from mtkd.inspection.agreement import ClassAgreements, ScoreAgreements
from tests.inspection.made import chunk, part, probabilities


def agreement(*chunks):
    _, teachers, classes = chunks[0].teachers.shape
    found = ClassAgreements(teachers, classes)
    for rows in chunks:
        found.add(rows)
    return found.result()


def test_kappa_and_share_of_every_pair_are_scikit_learns():
    rows = probabilities(400, teachers=4, classes=5)
    said = rows.teachers.argmax(axis=2)

    found = agreement(part(rows, slice(0, 150)), part(rows, slice(150, 400)))

    shares, kappas = [], []
    for i, j in itertools.product(range(4), repeat=2):
        shares.append(np.mean(said[:, i] == said[:, j]))
        kappas.append(cohen_kappa_score(said[:, i], said[:, j]))
    assert found.share.ravel() == pytest.approx(shares, abs=1e-12)
    assert found.kappa.ravel() == pytest.approx(kappas, abs=1e-12)
    pairs = [4 * i + j for i, j in itertools.combinations(range(4), 2)]
    assert found.mean_kappa == pytest.approx(np.mean(np.array(kappas)[pairs]), abs=1e-12)
    assert found.mean_share == pytest.approx(np.mean(np.array(shares)[pairs]), abs=1e-12)


def test_kappa_is_undefined_between_teachers_that_always_say_one_class():
    rows = chunk(np.tile([0.9, 0.1], (10, 2, 1)), [0] * 10)

    found = agreement(rows)

    assert (found.share == 1).all()
    assert np.isnan(found.kappa).all()
    assert np.isnan(found.mean_kappa)


def test_one_teacher_agrees_with_nobody():
    found = agreement(probabilities(10, teachers=1))

    assert found.share.tolist() == [[1]]
    assert np.isnan(found.mean_share)


def test_scores_correlate_as_numpy_has_it_and_their_spread_is_over_teachers():
    random = np.random.default_rng(0)
    scores = random.normal(size=(300, 1, 1)) + random.normal(size=(300, 3, 1))
    rows = chunk(scores, [np.nan] * 300)
    agreements = ScoreAgreements(3)
    for piece in (slice(0, 100), slice(100, 300)):
        agreements.add(part(rows, piece))

    found = agreements.result()

    expected = np.corrcoef(scores[:, :, 0].T)
    assert found.pearson == pytest.approx(expected, abs=1e-12)
    assert found.mean_pearson == pytest.approx(expected[np.triu_indices(3, 1)].mean(), abs=1e-12)
    assert found.mean_deviation == pytest.approx(scores[:, :, 0].std(axis=1).mean())
    assert found.largest_deviation == pytest.approx(scores[:, :, 0].std(axis=1).max())
