"""`distil_vs_teachers`: what a student's step costs by the number of teachers behind it."""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable
from pathlib import Path

from benchmarks.child import ask_once, children, serve
from benchmarks.harness import Options, Section, Spread, Table, Target, take_in_turn

COUNTS = (0, 1, 3, 8)
BREWERS = ("TextBrewer, s a step", "the same, bf16, dynamic padding")
ROWS, LIVE_ROWS, QUICK = 256, 96, 64  # of RTE: 8 steps, 3 steps, 2 steps
ROUNDS = 4


def measure(options: Options) -> Section:
    """Take mtkd's steps for every number of teachers in turn, then TextBrewer's."""
    shared = ["--rows", str(options.rows), *["--quick"] * options.quick]
    found = ask_once("benchmarks.distil_vs_teachers",
                     ["cached", "--rounds", str(options.rounds_or(ROUNDS)), *shared])  # fmt: skip
    commands = {what: ["live", *["--best"] * best, *shared]
                for best, what in enumerate(BREWERS)}  # fmt: skip
    with children("benchmarks.distil_vs_teachers", commands) as processes:
        live = take_in_turn(processes, 1)
    return report(found, live)


def report(found: dict[str, dict[str, list]], live: dict[str, dict[str, list[float]]]) -> Section:
    """Return the table of step times and what eight teachers add."""
    steps = {int(count): figures["steps"] for count, figures in found.items()}
    costs = {count: paired_ratio(steps[count], steps[0]) for count in COUNTS}
    rows = []
    for count in COUNTS:
        medians = [statistics.median(epoch) for epoch in steps[count]]
        join = found[str(count)]["join"]
        brewer = [f"{live[what][str(count)][0]:.3f}" if count else "" for what in BREWERS]
        rows.append((str(count), Spread.of(medians).cell(3), f"{100 * (costs[count] - 1):+.1f} %",
                     f"{1000 * statistics.median(join):.1f}" if join else "", *brewer)
                    )  # fmt: skip
    return Section(
        title="distil_vs_teachers: a student's step, by the number of teachers",
        note=(
            "RTE, batches of 32. mtkd writes the store of so many teachers, reads and joins it "
            "once (time apart), then steps; every number of teachers sees the same batches in the "
            "same order, in one process, in turn. The cost is the median over all steps of a "
            "step's time over that of the same step on gold labels alone. TextBrewer runs teachers "
            "of the student's size at every step: as it comes (fp32, padded to 128), and in bf16 "
            "with dynamic padding."
        ),
        tables=(
            Table(("teachers", "mtkd, s a step", "cost over gold alone", "read and join, ms",
                   *BREWERS), tuple(rows)),
        ),
        targets=(Target("cost of 8 teachers over none", 100 * (costs[8] - 1), 5.0,
                        at_least=False, unit="%"),),
        data={"cached": found, "live": live},
    )  # fmt: skip


def paired_ratio(steps: list[list[float]], reference: list[list[float]]) -> float:
    """Return the median over rounds and steps of a step's time over its reference's."""
    return statistics.median(
        a / b
        for epoch, other in zip(steps, reference, strict=True)
        for a, b in zip(epoch, other, strict=True)
    )


# --- in a process of its own ------------------------------------------------------------------


def cached(folder: Path, rounds: int, quick: bool) -> dict[str, dict[str, list]]:
    """Return every number of teachers' step times, round by round, and the time to join."""
    from benchmarks.cached import cached_steps, soft_labels
    from benchmarks.rows import load_rows

    rows = load_rows(folder, QUICK if quick else ROWS)["rte"]
    joined = {count: [soft_labels(rows, count) for _ in range(rounds)] for count in COUNTS if count}
    found = {str(count): {"steps": [], "join": [j.join_seconds for j in joined.get(count, [])],
                          "write": [j.write_seconds for j in joined.get(count, [])]}
             for count in COUNTS}  # fmt: skip
    for number in range(rounds + (not quick)):
        # there and back, so that a drift of the machine does not favour few or many
        for count in COUNTS if number % 2 else COUNTS[::-1]:
            soft = joined[count][0].soft if count else None
            steps = cached_steps(rows, soft)
            if number or quick:
                found[str(count)]["steps"].append(steps)  # type: ignore[arg-type]
    return found


def live(folder: Path, best: bool, quick: bool) -> Callable[[], dict[str, float]]:
    """Return what measures TextBrewer's median step by the number of teachers.

    The first step of an epoch is no part of it.
    """
    from benchmarks.peers.textbrewer import distil_steps
    from benchmarks.rows import load_rows

    rows = load_rows(folder, QUICK if quick else LIVE_ROWS)["rte"]
    return lambda: {
        str(count): statistics.median(distil_steps(rows, count, best=best))
        for count in COUNTS
        if count
    }


def main() -> None:
    """Be the process of mtkd's arms together, or of one of TextBrewer's."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("what", choices=["cached", "live"])
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--best", action="store_true")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    if given.what == "cached":
        serve(lambda: lambda: cached(given.rows, given.rounds, given.quick))
    else:
        serve(lambda: live(given.rows, given.best, given.quick))


if __name__ == "__main__":
    main()
