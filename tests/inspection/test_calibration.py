import numpy as np
import pytest

from mtkd.inspection.calibration import BINS, AdaptiveCalibration, EqualWidthCalibration


def ece(kind, confidence, correct, pieces=1):
    found = kind(1)
    for some, right in zip(
        np.array_split(confidence, pieces), np.array_split(correct, pieces), strict=True
    ):
        found.add(some[:, None], right[:, None])
    return found.bins().error()[0]


def equal_width(confidence, correct):
    total = 0.0
    for i in range(BINS):
        inside = (confidence > i / BINS) & (confidence <= (i + 1) / BINS)
        if inside.any():
            total += inside.sum() * abs(correct[inside].mean() - confidence[inside].mean())
    return total / len(confidence)


def sorted_and_cut(confidence, correct):
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if part.size]
    gaps = [len(p) * abs(correct[p].mean() - confidence[p].mean()) for p in parts]
    return sum(gaps) / len(confidence)


def miscalibrated(rows, seed=0):
    """Return confidences, too high in some places and too low in others, and what was right."""
    random = np.random.default_rng(seed)
    confidence = random.beta(6, 1.5, size=rows) * 0.5 + 0.5
    return confidence, random.uniform(size=rows) < confidence + 0.2 * np.sin(30 * confidence)


def test_equal_width_is_exact_in_a_stream():
    confidence, correct = miscalibrated(5000)

    found = ece(EqualWidthCalibration, confidence, correct, pieces=7)

    assert found == pytest.approx(equal_width(confidence, correct), abs=1e-12)
    assert found > 0.05


def test_a_confidence_on_an_edge_belongs_to_the_bin_below():
    calibration = EqualWidthCalibration(1)
    calibration.add(np.array([[3 / 15], [3 / 15 + 1e-9], [1.0]]), np.array([[True]] * 3))

    assert np.flatnonzero(calibration.bins().count[0]).tolist() == [2, 3, 14]


def test_a_float32_that_sums_to_a_little_over_one_is_in_the_last_bin():
    calibration = EqualWidthCalibration(1)
    calibration.add(np.array([[1.0000001]]), np.array([[True]]))

    assert calibration.bins().count[0, 14] == 1


@pytest.mark.parametrize("rows", [3, 15, 139, 2490])
def test_adaptive_is_that_of_sorting_where_confidences_are_apart(rows):
    random = np.random.default_rng(rows)
    confidence = random.permutation(np.linspace(0.35, 0.98, rows))
    correct = random.uniform(size=rows) < 0.6

    found = ece(AdaptiveCalibration, confidence, correct, pieces=3)

    assert found == pytest.approx(sorted_and_cut(confidence, correct), abs=1e-12)


def test_adaptive_is_close_to_sorting_where_cells_hold_many_rows():
    confidence, correct = miscalibrated(200_000)

    found = ece(AdaptiveCalibration, confidence, correct)

    expected = sorted_and_cut(confidence, correct)
    assert found == pytest.approx(expected, abs=5e-5)
    assert abs(expected - equal_width(confidence, correct)) > 1e-3  # quite another measure


def test_adaptive_sees_the_calibration_of_near_certain_rows():
    random = np.random.default_rng(0)
    confidence = 1 - 10 ** random.uniform(-9, -2, size=3000)
    correct = random.uniform(size=3000) < 0.9

    found = ece(AdaptiveCalibration, confidence, correct)

    assert found == pytest.approx(sorted_and_cut(confidence, correct), abs=1e-4)


def test_rows_of_equal_confidence_are_treated_alike_whatever_their_order():
    correct = np.array([True] * 450 + [False] * 50)
    confidence = np.full(500, 0.9)

    for order in (correct, correct[::-1]):
        assert ece(AdaptiveCalibration, confidence, order) == pytest.approx(0, abs=1e-12)
        assert ece(EqualWidthCalibration, confidence, order) == pytest.approx(0, abs=1e-12)
    assert sorted_and_cut(confidence, correct) > 0.1  # sorting leaves them as they came


def test_adaptive_bins_hold_the_same_number_of_rows():
    calibration = AdaptiveCalibration(2)
    confidence, correct = miscalibrated(1000)
    both = np.stack([confidence, np.ones(1000)], axis=1)
    calibration.add(both, np.stack([correct, correct], axis=1))

    count = calibration.bins().count

    assert count[0].tolist() == pytest.approx([67] * 10 + [66] * 5)
    assert count[1].tolist() == pytest.approx([67] * 10 + [66] * 5)


@pytest.mark.parametrize("kind", [EqualWidthCalibration, AdaptiveCalibration])
def test_extremes(kind):
    sure = np.ones(100)
    assert ece(kind, sure, sure.astype(bool)) == 0
    assert ece(kind, sure, np.zeros(100, dtype=bool)) == 1
    assert np.isnan(ece(kind, sure[:0], sure[:0].astype(bool)))
