"""`train`: a multi-task epoch, mtkd beside transformers' Trainer; a distillation step, beside
TextBrewer. Each arm is a process of its own, asked once a round.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
from collections.abc import Callable
from pathlib import Path

from benchmarks.child import children, serve
from benchmarks.harness import Options, Section, Spread, Table, Target, ratio, take_in_turn

OURS, FP32, DEFAULT, BEST = "mtkd", "mtkd, fp32", "Trainer, run_glue's default", "Trainer, best"
EPOCH_ARMS = (OURS, FP32, BEST, DEFAULT)
DISTIL, BREWER, BREWER_BEST = "mtkd", "TextBrewer", "TextBrewer, bf16, dynamic padding"
DISTIL_ARMS = (DISTIL, BREWER_BEST, BREWER)
TEACHERS = 3
WARM_ROWS, QUICK_ROWS, DISTIL_ROWS = 64, 4, 256  # of a task
PADDED_ROWS = 125  # where each batch has the same shape, a quarter tells as much as all
ROUNDS = 2


def measure(options: Options) -> Section:
    """Take both comparisons, arms in turn."""
    rounds = options.rounds_or(ROUNDS)
    quick = ["--quick"] * options.quick
    found = {}
    for what, arms in (("epoch", EPOCH_ARMS), ("distil", DISTIL_ARMS)):
        commands = {a: [what, "--arm", a, "--rows", str(options.rows), *quick] for a in arms}
        with children("benchmarks.train", commands) as processes:
            found[what] = take_in_turn(processes, rounds)
    return report(found["epoch"], found["distil"])


def report(
    epoch: dict[str, dict[str, list[float]]], distil: dict[str, dict[str, list[float]]]
) -> Section:
    """Return tables, with ratios to mtkd as it comes, and targets."""
    rows = []
    for name, figures in epoch.items():
        each = per_row(figures)
        tokens = zip(figures["tokens"], figures["seconds"], strict=True)
        rows.append((
            name,
            f"{figures['rows'][0]:,}",
            Spread.of(figures["seconds"]).cell(1),
            Spread.of([1 / s for s in each]).cell(1),
            Spread.of([n / s for n, s in tokens]).cell(0),
            f"{max(figures['MB']):,.0f}",
            ratio(each, per_row(epoch[OURS])).cell(),
        ))  # fmt: skip
    columns = ("arm", "rows", "seconds", "examples/s", "real tokens/s", "peak MB",
               "times mtkd's time a row")  # fmt: skip
    steps = [
        (name, Spread.of(figures["seconds"]).cell(3), f"{max(figures['MB']):,.0f}",
         ratio(figures["seconds"], distil[DISTIL]["seconds"]).cell())
        for name, figures in distil.items()
    ]  # fmt: skip
    ours = per_row(epoch[OURS])
    brewer = distil[DISTIL]["seconds"]
    return Section(
        title="train: one multi-task epoch, and a distillation step",
        note=(
            "RTE, MRPC, CoLA and STS-B, MiniLM, batches of 32, at most 128 tokens. Seconds of the "
            "training call alone: imports, loading and tokenising come before, evaluation and "
            "saving are left out. Each arm warms up on a few rows before its first round. Trainer "
            "knows one task: four epochs of one task each, times added up. Its best: dynamic "
            "padding, rows of like length together, bf16, fused AdamW. With every row padded "
            "to 128 each batch costs the same, so run_glue's default is given a quarter of the "
            "rows. Real tokens leave out padding. Peak memory is that of the whole process (on a "
            f"GPU, of the device). The distillation step has {TEACHERS} teachers of the student's "
            "size on RTE: mtkd reads their soft labels, TextBrewer runs them; mean of an epoch's "
            "steps but for the first."
        ),
        tables=(
            Table(columns, tuple(rows), "One epoch:"),
            Table(("arm", "seconds a step", "peak MB", "times mtkd's time"), tuple(steps),
                  "A step:"),
        ),
        targets=(
            _target("epoch against run_glue's default", per_row(epoch[DEFAULT]), ours, 5.0),
            _target("epoch against Trainer at its best", per_row(epoch[BEST]), ours, 1.25),
            _target("step with 3 teachers against TextBrewer", distil[BREWER]["seconds"], brewer,
                    4.0),
            _target("the same, TextBrewer in bf16 with dynamic padding",
                    distil[BREWER_BEST]["seconds"], brewer, 4.0),
        ),
        data={"epoch": epoch, "distil": distil},
    )  # fmt: skip


def per_row(figures: dict[str, list[float]]) -> list[float]:
    """Return the seconds a row of each round."""
    return [s / n for s, n in zip(figures["seconds"], figures["rows"], strict=True)]


def _target(what: str, peer: list[float], ours: list[float], bound: float) -> Target:
    return Target(what, ratio(peer, ours).median, bound, unit="times as fast")


# --- in a process of its own ------------------------------------------------------------------


def epoch_arm(arm: str, folder: Path, quick: bool) -> Callable[[], dict[str, float]]:
    """Return what measures one epoch, warmed up."""
    from benchmarks import ours
    from benchmarks.machine import peak_mb
    from benchmarks.peers import run_glue
    from benchmarks.rows import load_rows

    run = {
        OURS: lambda rows: ours.train_epoch(rows),
        FP32: lambda rows: ours.train_epoch(rows, "fp32"),
        DEFAULT: lambda rows: run_glue.train_epoch(rows, best=False),
        BEST: lambda rows: run_glue.train_epoch(rows, best=True),
    }[arm]
    rows = load_rows(folder, QUICK_ROWS if quick else PADDED_ROWS if arm == DEFAULT else None)
    run(load_rows(folder, QUICK_ROWS if quick else WARM_ROWS))

    def measured() -> dict[str, float]:
        seconds = run(rows)
        count = sum(len(r.chosen) for r in rows.values())
        tokens = sum(r.tokens for r in rows.values())
        return {"seconds": seconds, "rows": count, "tokens": tokens, "MB": peak_mb()}

    return measured


def distil_arm(arm: str, folder: Path, quick: bool) -> Callable[[], dict[str, float]]:
    """Return what measures the mean distillation step on RTE, warmed up."""
    from benchmarks.cached import cached_steps, soft_labels
    from benchmarks.machine import peak_mb
    from benchmarks.ours import BATCH
    from benchmarks.peers import textbrewer
    from benchmarks.rows import load_rows

    # whole batches, and at least two: a step is timed from the end of the one before
    rows = load_rows(folder, 2 * BATCH if quick else DISTIL_ROWS)["rte"]
    soft = soft_labels(rows, TEACHERS).soft
    seeds = itertools.count(1)
    run = {
        # the order, and with it the batch that is not timed, is another one in each round
        DISTIL: lambda r: cached_steps(r, soft, next(seeds)),
        BREWER: lambda r: textbrewer.distil_steps(r, TEACHERS, best=False),
        BREWER_BEST: lambda r: textbrewer.distil_steps(r, TEACHERS, best=True),
    }[arm]
    run(load_rows(folder, QUICK_ROWS if quick else WARM_ROWS)["rte"])
    return lambda: {"seconds": statistics.fmean(run(rows)), "MB": peak_mb()}


def main() -> None:
    """Be the process of one arm."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("what", choices=["epoch", "distil"])
    parser.add_argument("--arm", required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported
    prepare = epoch_arm if given.what == "epoch" else distil_arm
    serve(lambda: prepare(given.arm, given.rows, given.quick))


if __name__ == "__main__":
    main()
