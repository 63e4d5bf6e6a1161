"""`scale`: time and memory at 1, 4, 16 and 64 times the rows, each in a process of its own."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from benchmarks.child import ask_once, serve
from benchmarks.harness import Options, Section, Spread, Table, Target, exponent
from benchmarks.scale_parts import PARTS

TIMES = (1, 4, 16, 64)
PREDICTED = (1, 4)  # a real forward pass
GROUP = 65_536  # rows of a store's row group, which is held at a time: never less than one
ROWS = {
    "prepare": 1000,
    "corpus": 1000,
    "write": GROUP,
    "read": GROUP,
    "join": 16_384,
    "predict": 1000,
}
QUICK = {"prepare": 50, "corpus": 50, "write": 500, "read": 500, "join": 500, "predict": 4}
ROUNDS = 2
EXPONENT = 1.05
FLAT_MB = 64.0  # a process that holds its rows would hold far more at 64 times as many


def measure(options: Options) -> Section:
    """Measure each part at each size in turn, round after round."""
    rows = QUICK if options.quick else ROWS
    times = TIMES[:2] if options.quick else TIMES
    seconds: dict[str, dict[int, list[float]]] = {part: {} for part in PARTS}
    memory: dict[str, dict[int, list[float]]] = {part: {} for part in PARTS}
    for number in range(options.rounds_or(ROUNDS)):
        for part in PARTS:
            if part == "predict" and number:
                continue  # linear by construction, and dear: seen once
            for n in PREDICTED if part == "predict" else times:
                found = ask_once("benchmarks.scale", [part, "--rows", str(n * rows[part])])
                seconds[part].setdefault(n, []).append(found["seconds"])
                memory[part].setdefault(n, []).append(found["MB"])
    return report(rows, seconds, memory)


def report(
    rows: dict[str, int],
    seconds: dict[str, dict[int, list[float]]],
    memory: dict[str, dict[int, list[float]]],
) -> Section:
    """Return the table of times and memory, with fitted exponents."""
    table, targets = [], []
    for part, by_size in seconds.items():
        sizes = sorted(by_size)
        medians = [Spread.of(by_size[n]).median for n in sizes]
        peaks = [Spread.of(memory[part][n]).median for n in sizes]
        fitted = exponent(sizes, medians)
        for n, median, peak in zip(sizes, medians, peaks, strict=True):
            cell = Spread.of(by_size[n]).cell(3)
            table.append((part, f"{n * rows[part]:,}", cell, f"{1e6 * median / n / rows[part]:.1f}",
                          f"{peak:.0f}", f"{peak - peaks[0]:+.0f}"))  # fmt: skip
        targets.append(Target(f"{part}: exponent of time in rows", fitted, EXPONENT,
                              at_least=False))  # fmt: skip
        if part != "join":  # soft labels joined to rows lie in memory, a few bytes a row
            targets.append(Target(f"{part}: memory at {sizes[-1]} times the rows",
                                  peaks[-1] - peaks[0], FLAT_MB, at_least=False, unit="MB more")
                           )  # fmt: skip
    columns = ("part", "rows", "seconds", "us a row", "MB beyond imports", "MB above the fewest")
    return Section(
        title="scale: 1, 4, 16 and 64 times the rows",
        note=(
            "Sample rows repeated under new guids; each size is a process of its own, its imports "
            "and a warm-up left out, medians of rounds. prepare: tokenising; corpus: texts to rows "
            "of a corpus; write and read: a store of three teachers' random logits, a window at a "
            "time, and reading it through with its checks; join: reading it for training and "
            "joining it to its rows, which then lie in memory; predict: a real forward pass at 1 "
            "and 4 times. Exponents are least-squares fits of log time to log rows."
        ),
        tables=(Table(columns, tuple(table)),),
        targets=tuple(targets),
        data={"seconds": seconds, "MB": memory, "rows": rows},
    )


def main() -> None:
    """Be the process of one part at one size."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("part", choices=sorted(PARTS))
    parser.add_argument("--rows", type=int, required=True)
    given = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"

    def once() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            return PARTS[given.part](Path(folder), given.rows)

    serve(lambda: once)


if __name__ == "__main__":
    main()
