from __future__ import annotations

import pytest

from mtkd.metrics import continual

R = [[80.0, 60.0, 50.0], [76.0, 70.0, 55.0], [75.0, 68.0, 65.0]]


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (continual.average, 69.3333),
        (continual.backward_transfer, -3.5),
        (continual.forgetting, 3.5),
        (continual.adaptation, (80 + 70 + 65) / 3),
        (continual.temporal_generalisation, (60 + 50 + 55) / 3),
    ],
)
def test_known_values(measure, expected: float) -> None:
    assert measure(R) == pytest.approx(expected, abs=1e-4)


def test_the_best_stage_before_may_be_an_earlier_or_a_later_one() -> None:
    """Forgetting is from the best; backward transfer is from the stage that learnt the domain."""
    scores = [[10.0, 90.0, 0.0], [30.0, 20.0, 0.0], [20.0, 20.0, 0.0]]
    assert continual.forgetting(scores) == pytest.approx(((30 - 20) + (90 - 20)) / 2)
    assert continual.backward_transfer(scores) == pytest.approx(((20 - 10) + (20 - 20)) / 2)


def test_what_nothing_is_lost_of_is_not_forgotten() -> None:
    assert continual.forgetting([[5.0, 1.0], [5.0, 9.0]]) == 0
    assert continual.backward_transfer([[5.0, 1.0], [7.0, 9.0]]) == 2


def test_a_stream_of_one_has_a_mean_and_no_comparison() -> None:
    assert continual.average([[4.0]]) == continual.adaptation([[4.0]]) == 4
    for measure in (
        continual.forgetting,
        continual.backward_transfer,
        continual.temporal_generalisation,
    ):
        with pytest.raises(ValueError, match="a stream of one"):
            measure([[4.0]])


@pytest.mark.parametrize("scores", [[], [[1.0, 2.0]], [[1.0, 2.0], [1.0]]])
def test_scores_that_are_not_square_are_refused(scores) -> None:
    with pytest.raises(ValueError, match="as many domains as stages"):
        continual.average(scores)
