"""From teachers' logits to a soft label: each combination against its formula written out."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from mtkd.errors import ShapeError
from mtkd.soft_labels import COMBINATIONS, StoreInfo, as_logits, combine, teacher_targets
from tests.soft_labels.stores import LOGITS, MNLI, SCORES, STSB, make_info, make_teachers

WEIGHTED = ("dev_score", "fitted")


def info_of(method: str, teachers: int, classes: int, **changes: Any) -> StoreInfo:
    if method in WEIGHTED and "weights" not in changes:
        changes["weights"] = (1 / teachers,) * teachers
    labels = tuple(f"c{i}" for i in range(classes)) if classes > 1 else ()
    return make_info(
        combine=method, teachers=make_teachers(teachers), labels=labels,
        **{"temperature": 1.0, **changes},
    )  # fmt: skip


# --- each method against plain Python ---------------------------------------------------------


def plain_softmax(logits: list[float]) -> list[float]:
    top = max(logits)
    shares = [math.exp(x - top) for x in logits]
    return [share / sum(shares) for share in shares]


def plain(info: StoreInfo, teachers: list[list[float]]) -> list[float]:
    """One row, (teachers, classes), combined as the docstring of `combine` says."""
    count, outputs = len(teachers), info.outputs
    weights = info.weights or (1 / count,) * count
    own = info.teacher_temperatures or (1.0,) * count
    scaled = [
        [x / (info.temperature * t) for x in row] for row, t in zip(teachers, own, strict=True)
    ]
    said = [plain_softmax(row) for row in scaled] if info.labels else teachers
    columns = [[row[c] for row in said] for c in range(outputs)]
    if info.combine == "trimmed":
        inner = [math.fsum(sorted(column)[1:-1]) / (count - 2) for column in columns]
        if not info.labels:
            return inner
        if math.fsum(inner) > 0.05:  # else next to nothing is left, and the mean is meant
            return [x / math.fsum(inner) for x in inner]
    if info.combine in ("logits", "fitted") and info.labels:
        weighted = [[w * x for x in row] for w, row in zip(weights, scaled, strict=True)]
        return plain_softmax([math.fsum(column) for column in zip(*weighted, strict=True)])
    if info.combine in ("mean", "logits", "trimmed"):
        return [math.fsum(column) / count for column in columns]
    return [math.fsum(map(operator.mul, weights, column)) for column in columns]


@settings(deadline=None)  # how long it takes is the machine's affair
@given(
    method=st.sampled_from(COMBINATIONS),
    teachers=st.integers(3, 6),
    classes=st.integers(1, 5),
    temperature=st.sampled_from([0.5, 1.0, 2.0, 20.0]),
    calibrated=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_each_combination_is_its_formula(
    method: str, teachers: int, classes: int, temperature: float, calibrated: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, (4, teachers, classes)).astype(np.float32)
    info = info_of(
        method, teachers, classes, temperature=temperature,
        weights=tuple(random.dirichlet(np.ones(teachers)).tolist()) if method in WEIGHTED else None,
        teacher_temperatures=tuple(random.uniform(0.5, 3, teachers)) if calibrated else None,
    )  # fmt: skip
    expected = [plain(info, row) for row in logits.astype(np.float64).tolist()]
    found = combine(info, logits)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    if info.labels:
        np.testing.assert_allclose(found.sum(axis=1, dtype=np.float64), 1.0, atol=1e-6)


def test_every_combination_has_a_formula_here() -> None:
    assert COMBINATIONS == ("mean", "logits", "dev_score", "fitted", "trimmed")


# --- the paper's mean -------------------------------------------------------------------------


def test_the_papers_mean_is_of_probabilities_and_not_of_logits() -> None:
    """Teachers sure of two different classes leave half to each; their mean logits would not."""
    logits = np.array([[[10.0, 0.0, -10.0], [-20.0, 5.0, 0.0]]], dtype=np.float32)
    mean = combine(info_of("mean", 2, 3), logits)[0]
    assert mean.tolist() == pytest.approx([0.5, 0.5, 0.0], abs=0.01)
    geometric = combine(info_of("logits", 2, 3), logits)[0]
    assert geometric.tolist() == pytest.approx([0.0, 1.0, 0.0], abs=0.01)


def test_the_combination_is_the_papers_unless_said_otherwise() -> None:
    assert make_info().combine == "mean"


def test_scores_are_averaged_and_not_divided_by_the_temperature() -> None:
    info = make_info(STSB, temperature=7.0, teacher_temperatures=(2.0, 3.0))
    np.testing.assert_allclose(combine(info, SCORES), [[1.5], [2.25], [5.25]])
    np.testing.assert_array_equal(teacher_targets(info, SCORES), SCORES)


@pytest.mark.parametrize(
    ("student", "teacher", "temperature", "expected"),
    [
        ([0.0, 0.0, 0.0], [1.0, 0.0, -1.0], 2.0, 0.313684),
        ([0.0, 0.0, 0.0], [1.0, 0.0, -1.0], 1.0, 0.266217),
        ([1.0, 2.0, 0.0], [2.0, 1.0, 0.0], 2.0, 0.398569),
        ([1.0, 2.0, 0.0], [2.0, 1.0, 0.0], 1000.0, 0.3335),
    ],
)
def test_soft_labels_give_the_known_loss(
    student: list[float], teacher: list[float], temperature: float, expected: float
) -> None:
    """KL(soft label || student at T) x T^2, computed by hand from the formula of Hinton et al."""
    info = info_of("mean", 1, 3, temperature=temperature)
    soft = teacher_targets(info, np.array([[teacher]]))[0, 0]
    of_student = np.array(student) / temperature
    loss = float(np.sum(soft * (np.log(soft) - log_softmax(of_student)))) * temperature**2
    assert loss == pytest.approx(expected, abs=1e-4 if temperature == 1000 else 1e-6)
    np.testing.assert_allclose(combine(info, np.array([[teacher]]))[0], soft, rtol=1e-6)
    if temperature == 2 and student != [0.0] * 3:
        gradient = temperature * (softmax(of_student) - soft)
        np.testing.assert_allclose(gradient, [-0.398569, 0.398569, 0.0], atol=1e-6)


def test_two_opposite_teachers_leave_half_to_each_class() -> None:
    """Q = [0.5, 0.5]: the soft cross-entropy of an undecided student is log 2."""
    soft = combine(info_of("mean", 2, 2), np.array([[[4.0, -4.0], [-4.0, 4.0]]], np.float32))[0]
    assert -float(np.sum(soft * log_softmax(np.zeros(2)))) == pytest.approx(0.693147, abs=1e-6)
    np.testing.assert_allclose(soft, [0.5, 0.5])


# --- properties -------------------------------------------------------------------------------


def random_logits(seed: int, teachers: int, classes: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 3, (5, teachers, classes)).astype(np.float32)


@settings(deadline=None)  # how long it takes is the machine's affair
@given(
    method=st.sampled_from(COMBINATIONS),
    order=st.permutations(range(4)),
    classes=st.integers(1, 4),
    seed=st.integers(0, 10**6),
)
def test_the_order_of_teachers_does_not_matter(
    method: str, order: list[int], classes: int, seed: int
) -> None:
    logits = random_logits(seed, 4, classes)
    weights, own = (0.1, 0.2, 0.3, 0.4), (0.5, 1.0, 1.5, 2.0)
    of = {"weights": weights if method in WEIGHTED else None, "teacher_temperatures": own}
    permuted = {name: v and tuple(v[i] for i in order) for name, v in of.items()}
    np.testing.assert_allclose(
        combine(info_of(method, 4, classes, **permuted), logits[:, order]),
        combine(info_of(method, 4, classes, **of), logits),
        rtol=1e-5, atol=1e-7,
    )  # fmt: skip


@settings(deadline=None)  # how long it takes is the machine's affair
@given(
    method=st.sampled_from(COMBINATIONS),
    temperature=st.floats(0.1, 50),
    seed=st.integers(0, 10**6),
)
def test_the_temperature_divides_logits(method: str, temperature: float, seed: int) -> None:
    logits = random_logits(seed, 3, 3).astype(np.float64)
    np.testing.assert_allclose(
        combine(info_of(method, 3, 3, temperature=temperature), logits),
        combine(info_of(method, 3, 3), logits / temperature),
        rtol=1e-5, atol=1e-7,
    )  # fmt: skip


@pytest.mark.parametrize("method", COMBINATIONS)
def test_heat_levels_and_cold_decides(method: str) -> None:
    logits = np.array([[[3.0, 1.0, 0.0]] * 3], dtype=np.float32)
    hot = combine(info_of(method, 3, 3, temperature=1e4), logits)[0]
    np.testing.assert_allclose(hot, [1 / 3] * 3, atol=1e-3)
    cold = combine(info_of(method, 3, 3, temperature=0.01), logits)[0]
    np.testing.assert_allclose(cold, [1.0, 0.0, 0.0], atol=1e-6)


def test_a_teachers_own_temperature_is_his_alone() -> None:
    info = info_of("mean", 2, 3, temperature=2.0, teacher_temperatures=(3.0, 1.0))
    found = teacher_targets(info, LOGITS)
    np.testing.assert_allclose(found[:, 0], softmax(LOGITS[:, 0] / 6.0, axis=1), rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], softmax(LOGITS[:, 1] / 2.0, axis=1), rtol=1e-6)


@pytest.mark.parametrize(("classes", "outlier"), [(3, 1e4), (1, 1e4), (3, -1e4), (1, -1e4)])
def test_trimmed_drops_one_teacher_at_each_end(classes: int, outlier: float) -> None:
    """However far the furthest goes, nothing changes; with three teachers the median is left."""
    logits = random_logits(3, 5, classes)
    logits[:, 2, 0] = 50.0 * np.sign(outlier)
    further = logits.copy()
    further[:, 2, 0] = outlier
    info = info_of("trimmed", 5, classes)
    np.testing.assert_allclose(combine(info, further), combine(info, logits), atol=1e-7)
    plain_mean = info_of("mean", 5, classes)
    if classes == 1:
        assert not np.allclose(combine(plain_mean, further), combine(plain_mean, logits))
    three = info_of("trimmed", 3, classes)
    median = np.median(teacher_targets(three, logits[:, :3]), axis=1)
    expected = median / median.sum(axis=1, keepdims=True) if classes > 1 else median
    np.testing.assert_allclose(combine(three, logits[:, :3]), expected, rtol=1e-5)


def test_trimmed_of_four_scores_is_the_mean_of_the_middle_two() -> None:
    scores = np.array([[[100.0], [1.0], [-50.0], [2.0]]], dtype=np.float32)
    assert combine(info_of("trimmed", 4, 1), scores).tolist() == [[1.5]]


@pytest.mark.parametrize("classes", [1, 2, 3])
@pytest.mark.parametrize(("weighted", "even"), [("fitted", "logits"), ("dev_score", "mean")])
def test_equal_weights_are_no_weights(weighted: str, even: str, classes: int) -> None:
    logits = random_logits(1, 3, classes)
    np.testing.assert_allclose(
        combine(info_of(weighted, 3, classes, temperature=1.5), logits),
        combine(info_of(even, 3, classes, temperature=1.5), logits),
        rtol=1e-6, atol=1e-7,
    )  # fmt: skip


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("method", WEIGHTED)
def test_all_the_weight_on_one_teacher_is_that_teacher(method: str, classes: int) -> None:
    logits = random_logits(2, 3, classes)
    info = info_of(method, 3, classes, weights=(0.0, 1.0, 0.0))
    np.testing.assert_allclose(combine(info, logits), teacher_targets(info, logits)[:, 1], 1e-6)


def test_fitted_weights_above_1_sharpen() -> None:
    logits = np.array([[[1.0, 0.0]]], dtype=np.float32)
    found = combine(info_of("fitted", 1, 2, weights=(3.0,)), logits)[0]
    np.testing.assert_allclose(found, softmax([3.0, 0.0]), rtol=1e-6)


@pytest.mark.parametrize("method", COMBINATIONS)
def test_large_logits_do_not_overflow(method: str) -> None:
    logits = np.array([[[3e4, 0.0, -3e4]] * 3], dtype=np.float32)
    assert combine(info_of(method, 3, 3, temperature=0.1), logits)[0].tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("method", COMBINATIONS)
@pytest.mark.parametrize("classes", [1, 3])
def test_a_row_without_logits_has_no_soft_label(method: str, classes: int) -> None:
    logits = random_logits(4, 3, classes)
    logits[2] = np.nan
    found = combine(info_of(method, 3, classes), logits)
    assert np.isnan(found).all(axis=1).tolist() == [False, False, True, False, False]
    assert np.isfinite(found[[0, 1, 3, 4]]).all()


def test_no_rows_are_no_soft_labels() -> None:
    for method in COMBINATIONS:
        found = combine(info_of(method, 3, 3), np.zeros((0, 3, 3), np.float32))
        assert found.shape == (0, 3)


@pytest.mark.parametrize("shape", [(3, 3), (3, 2, 2), (3, 2, 1), (3, 3, 3), (3, 2, 3, 1)])
def test_logits_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    for function in (combine, teacher_targets):
        with pytest.raises(ShapeError, match=r"mnli: expected logits \(rows, 2 teachers, 3 class"):
            function(make_info(), np.zeros(shape, dtype=np.float32))


def test_an_ensembles_logits_are_those_of_its_probabilities() -> None:
    targets = combine(make_info(temperature=1.0), LOGITS)
    np.testing.assert_allclose(np.exp(as_logits(MNLI, targets)), targets, rtol=1e-5)
    certain = np.array([[1.0, 0.0, 0.0]], dtype=np.float32)
    assert np.isfinite(as_logits(MNLI, certain)).all()
    scores = combine(make_info(STSB), SCORES)
    np.testing.assert_array_equal(as_logits(STSB, scores), scores)


def test_trimmed_of_teachers_that_have_nothing_in_common_is_the_mean() -> None:
    """Each is sure of another of five classes: between lowest and highest there is nothing."""
    for size in (20.0, 800.0):
        logits = np.zeros((1, 3, 5), dtype=np.float32)
        logits[0, [0, 1, 2], [0, 1, 2]] = size
        found = combine(info_of("trimmed", 3, 5), logits)
        np.testing.assert_allclose(found, [[1 / 3, 1 / 3, 1 / 3, 0, 0]], atol=1e-6)
