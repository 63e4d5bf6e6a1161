"""`python -m benchmarks.evidence.power`: what difference so many seeds and rows can show.

A difference of the mean over tasks has the variance of each task's rows and of its seeds, over the
number of tasks squared. It is found in four of five tries, at the 5 % level, where it is 2.8
standard errors (1.96 + 0.84).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from benchmarks.harness import Table
from benchmarks.results import table_lines

_ERRORS = 2.8


@dataclasses.dataclass(frozen=True)
class Assumed:
    """A task's rows that are scored, and how much its models differ.

    seeds: deviation of a score over seeds, in points, beyond what the choice of rows makes.
    differing: share of rows on which two seeds' models differ.
    """

    rows: int
    seeds: float
    differing: float


# Rows: official dev and a fifth of train. Deviations and shares are guesses from
# results/accuracy-2026-11-21.jsonl (RTE 2.8 and MRPC 1.7 points, on 139 and 204 dev rows, of which
# the rows alone make 2.0 and 1.3), and for STS-B and CoLA from experience.
ASSUMED = {
    "rte": Assumed(637, 2.0, 0.25),
    "mrpc": Assumed(938, 1.2, 0.12),
    "stsb": Assumed(1900, 0.5, 0.05),
    "cola": Assumed(2232, 2.0, 0.15),
}


def detectable(assumed: Mapping[str, Assumed], seeds: int) -> float:
    """Return the smallest difference of the mean over tasks that is found in four of five tries."""
    variance = 0.0
    for task in assumed.values():
        variance += 2 * task.seeds**2 / seeds
        variance += 100**2 * task.differing / task.rows / seeds
    return float(_ERRORS * variance**0.5 / len(assumed))


def main() -> None:
    """Print the table that the protocol quotes."""
    rows = tuple((str(n), f"{detectable(ASSUMED, n):.2f}") for n in (3, 5, 8, 10, 15, 20))
    print("\n".join(table_lines(Table(("seeds", "points"), rows))))


if __name__ == "__main__":
    main()
