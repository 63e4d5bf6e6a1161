"""Arms taken in turn, their medians and spread, and what a benchmark reports."""

from __future__ import annotations

import dataclasses
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"

Figures = Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Options:
    """How a benchmark is run.

    rows: folder that `benchmarks.rows` prepared. rounds: counted ones; None for the benchmark's
    own number. quick: a few rows and one round, to see that everything works.
    """

    rows: Path
    rounds: int | None = None
    quick: bool = False

    def rounds_or(self, usual: int) -> int:
        """Return the number of counted rounds."""
        return 1 if self.quick else self.rounds or usual


@dataclasses.dataclass(frozen=True)
class Spread:
    """The median of some rounds, with their range."""

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of `values`, of which there is at least one."""
        return cls(statistics.median(values), min(values), max(values), len(values))

    def cell(self, digits: int = 2) -> str:
        """Return "median (low to high)", or the one value there is."""
        if self.rounds == 1:
            return f"{self.median:,.{digits}f}"
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


@dataclasses.dataclass(frozen=True)
class Target:
    """A figure and what it should be: at least `bound`, or at most."""

    what: str
    value: float
    bound: float
    at_least: bool = True
    unit: str = ""

    @property
    def met(self) -> bool:
        """Return whether the figure is on the right side of its bound."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of text for readers; the figures behind it stand in `Section.data`."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""


@dataclasses.dataclass(frozen=True)
class Section:
    """What one benchmark found."""

    title: str
    note: str
    tables: tuple[Table, ...]
    targets: tuple[Target, ...] = ()
    data: Any = None


def take_in_turn(
    arms: Mapping[str, Callable[[], Figures]], rounds: int, *, uncounted: int = 0
) -> dict[str, dict[str, list[float]]]:
    """Ask each arm once a round; return each arm's figures by name, one a counted round.

    A machine that slows down slows all arms. Args: uncounted: rounds before the counted ones.
    """
    found: dict[str, dict[str, list[float]]] = {name: {} for name in arms}
    for number in range(uncounted + rounds):
        for name, measure in arms.items():
            started = time.monotonic()
            figures = measure()
            print(f"  round {number + 1 - uncounted}: {name}: "
                  f"{time.monotonic() - started:.1f} s", file=sys.stderr)  # fmt: skip
            if number >= uncounted:
                for key, value in figures.items():
                    found[name].setdefault(key, []).append(value)
    return found


def ratio(slower: Sequence[float], faster: Sequence[float]) -> Spread:
    """Return how many times as long `slower` takes, round by round.

    Both of a round were measured within minutes, so their ratio is steadier than the medians'.
    """
    return Spread.of([a / b for a, b in zip(slower, faster, strict=True)])


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return e of the least-squares fit value = c * size**e, in logarithms."""
    x, y = [math.log(s) for s in sizes], [math.log(v) for v in values]
    centre = statistics.fmean(x)
    spread = sum((a - centre) ** 2 for a in x)
    return sum((a - centre) * b for a, b in zip(x, y, strict=True)) / spread
