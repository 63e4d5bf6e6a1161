"""`python -m benchmarks.evidence.power`: what difference so many seeds and rows can show.

The mean over tasks of a difference varies by seed, and by the choice of the scored rows, which more
seeds do not mend. It is found where Student's interval excludes 0; the table has the least true
difference that is found in four of five tries.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from scipy import optimize, stats

from benchmarks.harness import Table
from benchmarks.results import table_lines


@dataclasses.dataclass(frozen=True)
class Assumed:
    """How much a task's difference of two models varies, in points: by seed, by choice of rows."""

    seeds: float
    rows: float


# Guesses. Seeds: from results/accuracy-2026-11-21.jsonl, where scores of RTE deviate by 2.8
# points over seeds and of MRPC by 1.7, on 139 and 204 rows; a difference by sqrt(2) times as much,
# of which a part is the few rows' doing. Rows: of two ways of training that are nearly one, a row
# is right by chances that deviate by a tenth, on RTE's 541 rows, MRPC's 830, CoLA's 2,209
# (Matthews' correlation varies twice as much).
ASSUMED = {
    "rte": Assumed(2.8, 0.4),
    "mrpc": Assumed(1.7, 0.3),
    "stsb": Assumed(0.7, 0.2),
    "cola": Assumed(2.8, 0.4),
}


def power(difference: float, assumed: Mapping[str, Assumed], seeds: int) -> float:
    """Return how often a true difference of the mean over tasks is found."""
    number = len(assumed)
    over_seeds = sum(task.seeds**2 for task in assumed.values()) / number**2 / seeds
    rows = sum(task.rows**2 for task in assumed.values()) / number**2
    variance = over_seeds + rows
    freedom = variance**2 / over_seeds**2 * (seeds - 1)
    least = stats.t.ppf(0.975, freedom)
    return float(stats.nct.sf(least, freedom, difference / variance**0.5))


def detectable(assumed: Mapping[str, Assumed], seeds: int) -> float:
    """Return the least difference of the mean over tasks that is found in four of five tries."""
    return float(optimize.brentq(lambda d: power(d, assumed, seeds) - 0.8, 0.01, 50))


def main() -> None:
    """Print the table that the protocol quotes."""
    rows = tuple(
        (str(n), f"{detectable(ASSUMED, n):.2f}", f"{100 * power(1.0, ASSUMED, n):.0f} %")
        for n in (3, 5, 8, 10, 15, 20, 50)
    )
    columns = ("seeds", "points, found in four of five tries", "how often one point is found")
    print("\n".join(table_lines(Table(columns, rows))))


if __name__ == "__main__":
    main()
