"""`soften`: three teachers score rows: mtkd, a text-classification pipeline, Trainer.predict."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.child import children, serve
from benchmarks.harness import Options, Section, Spread, Table, Target, ratio, take_in_turn

if TYPE_CHECKING:
    from benchmarks.rows import TaskRows

OURS, WHOLE = "mtkd", "mtkd, tokenising included"
PIPELINE, PIPELINE_32 = "pipeline", "pipeline, batch_size=32"
PIPELINE_BEST = "pipeline, bf16, batches of 32 of like length"
TRAINER, TRAINER_BEST = "Trainer.predict", "Trainer.predict, bf16, batches of 64"
ARMS = (OURS, WHOLE, PIPELINE, PIPELINE_32, PIPELINE_BEST, TRAINER, TRAINER_BEST)
TEACHERS = 3
EACH, WARM, QUICK = 250, 32, 4  # rows of each task
ROUNDS = 2


def measure(options: Options) -> Section:
    """Take the arms in turn."""
    quick = ["--quick"] * options.quick
    commands = {arm: ["--arm", arm, "--rows", str(options.rows), *quick] for arm in ARMS}
    with children("benchmarks.soften", commands) as processes:
        found = take_in_turn(processes, options.rounds_or(ROUNDS))
    rows = []
    for name, figures in found.items():
        speed = [n / s for n, s in zip(figures["rows"], figures["seconds"], strict=True)]
        times = ratio(figures["seconds"], found[OURS]["seconds"]).cell()
        rows.append((name, Spread.of(speed).cell(1), f"{max(figures['MB']):,.0f}", times))
    whole = found[WHOLE]["seconds"]
    return Section(
        title="soften: rows a second through three teachers",
        note=(
            "Rows of all four tasks, each scored by three teachers of the student's size. Peers "
            "share nothing between teachers: they run one, and its time counts three times. mtkd "
            "tokenises once, in prepare, for all teachers and the student; a pipeline tokenises as "
            "it goes, for every teacher; Trainer.predict is given tokens. Targets compare the "
            "pipeline with mtkd and its tokenising together. Trainer.predict pads each batch to "
            "its longest row; it keeps the rows' order."
        ),
        tables=(
            Table(("arm", "rows/s", "peak MB", "times mtkd's time"), tuple(rows)),
        ),
        targets=(
            Target("against a pipeline loop", ratio(found[PIPELINE]["seconds"], whole).median,
                   3.0, unit="times as fast"),
            Target("against a pipeline with batch_size=32",
                   ratio(found[PIPELINE_32]["seconds"], whole).median, 3.0,
                   unit="times as fast"),
        ),
        data=found,
    )  # fmt: skip


def arm_of(arm: str, folder: Path, quick: bool) -> Callable[[], dict[str, float]]:
    """Return what measures one arm, warmed up."""
    from benchmarks import ours
    from benchmarks.machine import peak_mb
    from benchmarks.peers import pipeline, run_glue
    from benchmarks.rows import fresh_model, load_rows

    def score_ours(rows: Mapping[str, TaskRows]) -> Callable[[], float]:
        teachers = [fresh_model() for _ in range(TEACHERS)]
        return lambda: ours.score(rows, teachers)

    def score_whole(rows: Mapping[str, TaskRows]) -> Callable[[], float]:
        teachers = [fresh_model() for _ in range(TEACHERS)]
        return lambda: tokenise_again(rows) + ours.score(rows, teachers)

    make = {
        OURS: score_ours,
        WHOLE: score_whole,
        PIPELINE: lambda rows: pipeline.scorers(rows, batch_size=None),
        PIPELINE_32: lambda rows: pipeline.scorers(rows, batch_size=32),
        PIPELINE_BEST: lambda rows: pipeline.scorers(rows, batch_size=32, best=True),
        TRAINER: lambda rows: run_glue.scorers(rows, best=False),
        TRAINER_BEST: lambda rows: run_glue.scorers(rows, best=True),
    }[arm]
    rows = load_rows(folder, QUICK if quick else EACH)
    make(load_rows(folder, QUICK if quick else WARM))()
    run = make(rows)
    times = 1 if arm in (OURS, WHOLE) else TEACHERS  # peers are given one teacher
    count = sum(len(r.chosen) for r in rows.values())
    return lambda: {"seconds": times * run(), "rows": count, "MB": peak_mb()}


def tokenise_again(rows: Mapping[str, TaskRows]) -> float:
    """Return the seconds to tokenise the chosen rows as prepare does."""
    from benchmarks.machine import clock
    from benchmarks.rows import ENCODER, MAX_LENGTH
    from mtkd.encoders import load_tokenizer
    from mtkd.examples import Example, tokenise

    examples: dict[str, list[Example]] = {}
    for name, r in rows.items():
        texts = r.split.dataset.select(r.chosen)["texts"]
        examples[name] = [Example(f"{name}/train/{i}", tuple(t), None) for i, t in enumerate(texts)]
    tokenizer = load_tokenizer(ENCODER)
    with tempfile.TemporaryDirectory() as folder:
        started = clock()
        for name, found in examples.items():
            tokenise(found, tokenizer, MAX_LENGTH, Path(folder) / f"{name}.arrow")
        return clock() - started


def main() -> None:
    """Be the process of one arm."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--arm", required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    serve(lambda: arm_of(given.arm, given.rows, given.quick))


if __name__ == "__main__":
    main()
