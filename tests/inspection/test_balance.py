import numpy as np
import pytest

from mtkd.inspection.balance import ClassBalances
from tests.inspection.made import chunk, part, probabilities


def test_shares_of_gold_soft_labels_and_decisions_are_told_apart():
    teachers = np.array([[[0.6, 0.4]], [[0.6, 0.4]], [[0.1, 0.9]], [[0.7, 0.3]]])
    balances = ClassBalances(2)
    balances.add(chunk(teachers, [0, 1, 1, np.nan]))

    no, yes = balances.result(("no", "yes"))

    assert (no.label, yes.label) == ("no", "yes")
    assert (no.gold, yes.gold) == pytest.approx((1 / 3, 2 / 3))
    assert (no.soft, yes.soft) == pytest.approx((0.5, 0.5))
    assert (no.decided, yes.decided) == (0.75, 0.25)


def test_shares_sum_to_one_over_chunks():
    rows = probabilities(100, classes=4)
    balances = ClassBalances(4)
    for piece in (slice(0, 30), slice(30, 100)):
        balances.add(part(rows, piece))

    found = balances.result(tuple("abcd"))

    for name in ("gold", "soft", "decided"):
        assert sum(getattr(item, name) for item in found) == pytest.approx(1)


def test_without_gold_its_shares_are_unknown():
    balances = ClassBalances(2)
    balances.add(chunk(np.full((3, 1, 2), 0.5), [np.nan] * 3))

    assert all(np.isnan(item.gold) and item.soft == 0.5 for item in balances.result(("a", "b")))
