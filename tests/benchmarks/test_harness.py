"""The harness's own arithmetic: a wrong median or ratio would be believed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.harness import Spread, Target, exponent, ratio, take_in_turn


def test_arms_are_taken_in_turn_and_uncounted_rounds_are_not_counted() -> None:
    asked: list[str] = []

    def arm(name: str) -> Callable[[], dict[str, float]]:
        def measure() -> dict[str, float]:
            asked.append(name)
            return {"seconds": float(len(asked))}

        return measure

    found = take_in_turn({"a": arm("a"), "b": arm("b")}, 2, uncounted=1)
    assert asked == ["a", "b", "a", "b", "a", "b"]
    assert found == {"a": {"seconds": [3.0, 5.0]}, "b": {"seconds": [4.0, 6.0]}}


def test_a_spread_is_median_and_range() -> None:
    spread = Spread.of([5.0, 1.0, 2.0])
    assert (spread.median, spread.low, spread.high, spread.rounds) == (2.0, 1.0, 5.0, 3)
    assert spread.cell(1) == "2.0 (1.0 to 5.0)"
    assert Spread.of([1234.5]).cell(1) == "1,234.5"


def test_a_ratio_is_taken_round_by_round() -> None:
    # the machine was half as fast in the second round, for both
    assert ratio([4.0, 8.0], [1.0, 2.0]) == Spread(4.0, 4.0, 4.0, 2)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law_is_its_power(power: float) -> None:
    sizes = [1.0, 4.0, 16.0, 64.0]
    assert exponent(sizes, [3.0 * n**power for n in sizes]) == pytest.approx(power)


def test_a_target_knows_its_side() -> None:
    assert Target("speed", 5.0, 5.0).met
    assert not Target("speed", 4.99, 5.0).met
    assert Target("cost", 5.0, 5.0, at_least=False).met
    assert not Target("cost", 5.01, 5.0, at_least=False).met
