import numpy as np
import pytest

from mtkd.inspection.moments import Moments


def moments(values, pieces=5):
    found = Moments(values.shape[1])
    for piece in np.array_split(values, pieces):
        found.add(piece)
    return found


def test_moments_are_numpys():
    values = np.random.default_rng(0).normal(size=(1000, 4)) @ np.diag([1, 2, 3, 4])
    found = moments(values)

    assert found.rows == 1000
    assert found.mean == pytest.approx(values.mean(axis=0), abs=1e-12)
    assert found.deviation() == pytest.approx(values.std(axis=0), abs=1e-12)
    assert found.pearson() == pytest.approx(np.corrcoef(values.T), abs=1e-12)
    assert found.lowest.tolist() == values.min(axis=0).tolist()
    assert found.highest.tolist() == values.max(axis=0).tolist()


def test_a_large_mean_costs_no_digits_of_the_spread():
    small = np.random.default_rng(0).normal(size=(1000, 2))
    values = small + 1e9
    shifted = values - 1e9  # what float64 keeps of them

    assert moments(values).deviation() == pytest.approx(shifted.std(axis=0), rel=1e-7)
    assert moments(values).pearson() == pytest.approx(np.corrcoef(shifted.T), abs=1e-7)


def test_a_column_that_never_varies_has_no_correlation():
    values = np.random.default_rng(0).normal(size=(100, 2))
    values[:, 1] = 0.1  # whose mean is not exactly 0.1

    found = moments(values).pearson()

    assert found[0, 0] == 1
    assert np.isnan(found[[0, 1, 1], [1, 0, 1]]).all()


def test_without_rows_nothing_is_defined():
    found = moments(np.empty((0, 2)))

    assert np.isnan(found.deviation()).all()
    assert np.isnan(found.pearson()).all()
    assert np.isnan(found.lowest).all()
