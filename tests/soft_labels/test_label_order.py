"""Classes in another order than gold's are found, and honest teachers are left alone."""

from __future__ import annotations

import itertools
import logging
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest

from mtkd.errors import StoreError
from mtkd.soft_labels import check_label_order, read_batches, read_info, write_store
from mtkd.soft_labels.label_order import best_order, count_confusion
from tests.soft_labels.stores import MNLI, make_info, make_teachers

CARDS_ORDER = ("contradiction", "entailment", "neutral")
HUBS_ORDER = ("entailment", "neutral", "contradiction")
NAN = float("nan")


def write_teachers(
    path: Path,
    labels: tuple[str, ...],
    gold: NDArray[np.int64],
    said: NDArray[np.int64],
    random: np.random.Generator,
) -> Path:
    """Write a store of teachers whose most probable column is `said`, each in his own words."""
    teachers = int(random.integers(1, 4))
    logits = random.normal(0, 0.3, (len(gold), teachers, len(labels)))
    logits[np.arange(len(gold)), :, said] += random.uniform(2, 5)
    info = make_info(labels=labels, teachers=make_teachers(teachers), temperature=1.0)
    guids = [f"mnli/train/{i}" for i in range(len(gold))]
    write_store(path, info, guids, gold.astype(np.float64), logits.astype(np.float32))
    return path


def check(path: Path) -> None:
    labels = read_info(path).labels
    confusion = sum(count_confusion(len(labels), b.gold, b.targets) for b in read_batches(path))
    check_label_order(str(path), labels, np.asarray(confusion))


def mistaken(
    gold: NDArray[np.int64], classes: int, accuracy: float, random: np.random.Generator
) -> NDArray[np.int64]:
    """Return the right class with probability `accuracy`, else any other."""
    other = (gold + random.integers(1, classes, len(gold))) % classes
    return np.where(random.random(len(gold)) < accuracy, gold, other)


# --- the fault that this is for ---------------------------------------------------------------


def test_mnli_columns_in_the_hubs_order_are_refused_where_the_card_says_another(
    tmp_path: Path,
) -> None:
    """The card's order is that of several published NLI models; the columns are the hub's."""
    assert MNLI.labels == HUBS_ORDER
    random = np.random.default_rng(0)
    gold = random.integers(0, 3, 500)
    said = mistaken(gold, 3, 0.85, random)
    columns = np.array([HUBS_ORDER.index(CARDS_ORDER[c]) for c in said])
    path = write_teachers(tmp_path / "s.parquet", CARDS_ORDER, gold, columns, random)
    with pytest.raises(StoreError) as refused:
        check(path)
    said_so = str(refused.value)
    assert said_so.startswith(f"{path}: as contradiction, entailment, neutral the most probable")
    assert "as entailment, neutral, contradiction in 8" in said_so
    assert "--labels 'entailment,neutral,contradiction'" in said_so
    assert "check labels and file_labels in the task's card" in said_so
    right = write_teachers(tmp_path / "right.parquet", HUBS_ORDER, gold_in(HUBS_ORDER, gold),
                           columns, random)  # fmt: skip
    check(right)


def gold_in(order: tuple[str, ...], gold: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array([order.index(CARDS_ORDER[g]) for g in gold])


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))][1:], ids=str)
def test_every_other_order_of_three_classes_is_refused_and_the_right_one_named(
    tmp_path: Path, order: tuple[int, ...], caplog: pytest.LogCaptureFixture
) -> None:
    random = np.random.default_rng(1)
    gold = random.integers(0, 3, 500)
    said = mistaken(gold, 3, 0.9, random)
    column_of = np.argsort(order)  # column c holds class order[c]
    path = write_teachers(tmp_path / "s.parquet", HUBS_ORDER, gold, column_of[said], random)
    named = ",".join(HUBS_ORDER[c] for c in order)
    with pytest.raises(StoreError, match=f"--labels '{named}'"):
        check(path)
    assert not caplog.records


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))], ids=str)
def test_of_12_rows_nothing_is_claimed(
    tmp_path: Path, order: tuple[int, ...], caplog: pytest.LogCaptureFixture
) -> None:
    gold = np.arange(12) % 3
    said = np.argsort(order)[gold]
    random = np.random.default_rng(0)
    check(write_teachers(tmp_path / "s.parquet", HUBS_ORDER, gold, said, random))
    assert not caplog.records


def test_two_swapped_classes_of_two_are_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    gold = random.integers(0, 2, 100)
    said = 1 - mistaken(gold, 2, 0.85, random)
    with pytest.raises(StoreError, match="--labels 'not,yes'"):
        check(write_teachers(tmp_path / "s.parquet", ("yes", "not"), gold, said, random))


# --- honest teachers --------------------------------------------------------------------------


def honest_store(path: Path, random: np.random.Generator) -> Path:
    """Two to six classes, 10 to 5,000 rows, skewed or not; better than chance, or few rows.

    Some teachers fall back on the most frequent class, as teachers of few rows do.
    """
    classes = int(random.integers(2, 7))
    chance, few = 1 / classes, random.random() < 0.4
    rows = int(random.integers(10, 51)) if few else round(50 * 100 ** random.random())
    accuracy = random.uniform(chance - 0.1, chance + 0.2) if few else random.uniform(chance, 1.0)
    balance = random.dirichlet(np.full(classes, random.choice([0.5, 2.0, 50.0])))
    gold = random.choice(classes, rows, p=balance)
    said = mistaken(gold, classes, accuracy, random)
    falls_back = random.random(rows) < random.choice([0.0, 0.3, 0.9])
    said[falls_back] = np.bincount(gold).argmax()
    labels = tuple(f"c{i}" for i in range(classes))
    return write_teachers(path, labels, gold, said, random)


def test_200_stores_of_honest_teachers_raise_and_warn_of_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    below_chance = 0
    for number in range(200):
        path = honest_store(tmp_path / f"{number}.parquet", np.random.default_rng(number))
        check(path)
        assert not caplog.records, number
        below_chance += is_below_chance(path)
    assert below_chance >= 10  # else the sharp end was not tried


def is_below_chance(path: Path) -> bool:
    info = read_info(path)
    confusion = sum(count_confusion(info.outputs, b.gold, b.targets) for b in read_batches(path))
    return bool(np.trace(confusion) * info.outputs < info.rows)


@pytest.mark.parametrize("rows", [40, 500])
def test_teachers_that_know_only_the_most_frequent_class_are_honest(
    rows: int, caplog: pytest.LogCaptureFixture
) -> None:
    confusion = np.zeros((3, 3), dtype=np.int64)
    confusion[:, 1] = [rows * 3 // 10, rows * 6 // 10, rows // 10]
    check_label_order("x", HUBS_ORDER, confusion)
    assert not caplog.records


# --- the test itself --------------------------------------------------------------------------


def binomial(wins: int, losses: int, orders: int) -> float:
    return min(1.0, float(binomtest(wins, wins + losses, 0.5, "greater").pvalue) * (orders - 1))


@pytest.mark.parametrize(
    ("confusion", "wins", "losses", "order"),
    [
        ([[10, 40], [30, 5]], 70, 15, (1, 0)),
        ([[40, 10], [5, 30]], 0, 0, (0, 1)),
        ([[50, 1, 2], [3, 4, 20], [2, 25, 6]], 45, 10, (0, 2, 1)),
        ([[1, 20, 3], [2, 1, 30], [25, 4, 5]], 75, 7, (2, 0, 1)),
        ([[1, 1500, 3], [2, 1, 1200], [1100, 4, 5]], 3800, 7, (2, 0, 1)),
        ([[0, 3], [3, 0]], 6, 0, (1, 0)),
    ],
)
def test_the_p_value_is_the_exact_sign_test_times_the_other_orders(
    confusion: list[list[int]], wins: int, losses: int, order: tuple[int, ...]
) -> None:
    found = best_order(np.array(confusion))
    assert found.order == order
    expected = binomial(wins, losses, math.factorial(len(order))) if wins else 1.0
    assert found.p_value == pytest.approx(expected, rel=1e-9)


@settings(deadline=None)  # how long it takes is the machine's affair
@given(
    classes=st.integers(2, 4),
    counts=st.lists(st.integers(0, 40), min_size=16, max_size=16),
)
def test_no_order_agrees_better_than_the_best(classes: int, counts: list[int]) -> None:
    confusion = np.array(counts)[: classes**2].reshape(classes, classes)
    found = best_order(confusion)
    agreed = [
        sum(int(confusion[order[c], c]) for c in range(classes))
        for order in itertools.permutations(range(classes))
    ]
    rows = max(int(confusion.sum()), 1)
    assert found.best == pytest.approx(max(agreed) / rows)
    assert found.agreement == pytest.approx(agreed[0] / rows)
    at = list(itertools.permutations(range(classes))).index(found.order)
    assert agreed[at] == max(agreed)
    assert 0 <= found.p_value <= 1
    if agreed[0] == max(agreed):
        assert found.p_value == 1


# wins and losses are rows of each of two classes that another order would gain and lose
GAINS = {
    "10 points to 70 %": (3000, 2010, 1500, True),
    "41 points to 71 %": (0, 2400, 1000, True),
    "9 points to 70 %": (3000, 1960, 1500, False),
    "7 points to 72 %": (4000, 1900, 1500, False),
    "33 points to 67 %": (0, 2000, 1000, False),
    "4 points to 52 %": (0, 26_000, 24_000, False),
}


@pytest.mark.parametrize(("sure", "wins", "losses", "stops"), GAINS.values(), ids=GAINS)
def test_a_real_gain_stops_from_10_points_and_70_percent_on_and_else_warns(
    sure: int, wins: int, losses: int, stops: bool, caplog: pytest.LogCaptureFixture
) -> None:
    confusion = np.array([[losses, wins, 0], [wins, losses, 0], [0, 0, sure]])
    if stops:
        with pytest.raises(StoreError, match="x/train: as entailment, neutral, contradiction"):
            check_label_order("x/train", HUBS_ORDER, confusion)
        assert not caplog.records
        return
    check_label_order("x/train", HUBS_ORDER, confusion)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    said = record.getMessage()
    assert said.startswith("x/train: as entailment, neutral, contradiction the most probable")
    assert "as neutral, entailment, contradiction in" in said
    assert "look whether the columns stand in the order of the card's labels" in said


def test_20_rows_that_are_all_swapped_are_enough_and_19_are_not() -> None:
    """2^-19 is above 1e-6, 2^-20 below."""
    check_label_order("x", ("yes", "not"), np.array([[0, 19], [0, 0]]))
    with pytest.raises(StoreError, match=r"in 100\.0% \(p = 1e-06\)"):
        check_label_order("x", ("yes", "not"), np.array([[0, 20], [0, 0]]))


def test_twenty_classes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    random = np.random.default_rng(0)
    labels = tuple(f"c{i:02d}" for i in range(20))
    gold = random.integers(0, 20, 1000)
    said = mistaken(gold, 20, 0.8, random)
    check(write_teachers(tmp_path / "right.parquet", labels, gold, said, random))
    weak = mistaken(gold[:60], 20, 0.05, random)
    check(write_teachers(tmp_path / "weak.parquet", labels, gold[:60], weak, random))
    assert not caplog.records
    order = random.permutation(20)
    wrong = np.argsort(order)[said]
    named = ",".join(labels[c] for c in order)
    with pytest.raises(StoreError, match=f"--labels '{named}'"):
        check(write_teachers(tmp_path / "wrong.parquet", labels, gold, wrong, random))


def test_many_classes_and_no_rows_are_no_error(caplog: pytest.LogCaptureFixture) -> None:
    for classes in (2, 3, 200):
        labels = tuple(str(i) for i in range(classes))
        check_label_order("x", labels, np.zeros((classes, classes), dtype=np.int64))
    confusion = np.roll(np.eye(200, dtype=np.int64) * 50, 1, axis=1)
    with pytest.raises(StoreError, match="in another order"):
        check_label_order("x", tuple(str(i) for i in range(200)), confusion)
    assert not caplog.records


def test_rows_without_gold_or_soft_label_are_not_counted() -> None:
    gold = np.array([0.0, NAN, 1.0, 1.0, 0.0])
    targets = np.array([[0.9, 0.1], [0.9, 0.1], [NAN, NAN], [0.6, 0.4], [0.4, 0.6]], np.float32)
    assert count_confusion(2, gold, targets).tolist() == [[1, 1], [1, 0]]
    assert count_confusion(2, gold[:0], targets[:0]).tolist() == [[0, 0], [0, 0]]
