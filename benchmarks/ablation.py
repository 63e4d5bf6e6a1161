"""`make bench-compress GLUE=glue_data`, or `python -m benchmarks.ablation GLUE_DATA`.

Does distilling an encoder pay, and each of its losses? distilbert_tiny on real sentences, whole,
with each loss left out once, from random weights, and its layers copied only; each encoder, and
their teacher, is then trained on five tasks together and scored on dev. Each finished run is a line
of benchmarks/results/ablation-<date>.jsonl; a run that stands there is not done again, so an
interrupted command goes on with `--results` of its file.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.accuracy import append, deviation, difference
from benchmarks.harness import RESULTS, Table
from benchmarks.results import table_lines
from mtkd.errors import Interrupted

TASKS = ("rte", "mrpc", "stsb", "cola", "sst2")
WHOLE, COPIED, TEACHER = "all losses", "layers copied", "teacher"
# overrides of distilbert_tiny; None trains nothing
ARMS: Mapping[str, tuple[str, ...] | None] = {
    TEACHER: None,
    WHOLE: (),
    "without soft_mlm": ("losses.soft_mlm.weight=0.0",),
    "without mlm": ("losses.mlm.weight=0.0",),
    "without cosine": ("losses.cosine.weight=0.0",),
    "random weights": ("student.start=random",),
    COPIED: None,
}
ENCODER = ("corpus.data.source=directory",)
TASK_SETTINGS = (
    "tasks=[rte,mrpc,stsb,cola,sst2]",
    "teachers=null",
    "baseline=false",
    "training.learning_rate=4e-4",
    "training.epochs=4",
    "training.batch_size=32",
    "data.source=directory",
    "data.max_rows.test=1",
    "training.keep=last",  # the best of four epochs would be chosen on the rows it is scored on
)


def main() -> None:
    """Run what is missing, and say how far each arm is from the whole."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[2])
    parser.add_argument("glue", type=Path, help="a glue_data folder")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--rows", type=int, default=1000, help="train rows a task")
    parser.add_argument("--epochs", type=int, default=1, help="over the corpus, head and student")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--runs", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--results", type=Path, help="a .jsonl to go on with")
    given = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"

    from mtkd.terminal import log_to_stderr

    log_to_stderr(logging.INFO)
    path = given.results or RESULTS / f"ablation-{datetime.now(UTC):%Y-%m-%d}.jsonl"
    settings = [*ENCODER, *TASK_SETTINGS, f"rows={given.rows}", f"epochs={given.epochs}"]
    done = _read(path, settings)
    for seed in given.seeds:  # arms in turn, so that an early stop leaves whole seeds
        for arm in given.arms:
            if (arm, seed) in done:
                continue
            try:
                found = run(given.glue, arm, seed, given.rows, given.epochs, given.runs)
            except Interrupted as stopped:
                sys.exit(f"{stopped}; the same command with --results {path} goes on")
            done[arm, seed] = found
            append(path, {"arm": arm, "seed": seed, "settings": settings, **found})
    scores = {arm: {s: done[arm, s]["scores"] for s in given.seeds} for arm in given.arms}
    print("\n".join(table_lines(compare(scores))))


def run(glue: Path, arm: str, seed: int, rows: int, epochs: int, runs: Path) -> dict[str, Any]:
    """Make an arm's encoder and train it on the tasks; return dev scores by task."""
    from mtkd.artifacts import environment, read_manifest
    from mtkd.metrics import task_score
    from mtkd.pipeline import carry_out, open_run
    from mtkd.recipe import load_recipe

    encoder, notes = "bundled:all-MiniLM-L6-v2", {}
    if arm != TEACHER:
        overrides = [*ENCODER, *(ARMS[arm] or ()), f"seed={seed}", f"corpus.data.root={glue}",
                     f"training.epochs={epochs}", f"warmup_mlm={epochs}"]  # fmt: skip
        recipe = load_recipe("distilbert_tiny", overrides)
        name = WHOLE if arm == COPIED else arm
        opened = open_run(recipe, runs / f"encoder-{name.replace(' ', '-')}-{seed}-{epochs}")
        last = "init-student" if arm == COPIED else "evaluate"
        carry_out(opened, recipe, last, cache=runs / "cache")
        place = opened.folder / ("student_init" if arm == COPIED else "student")
        encoder = str(place.absolute())
        manifest = read_manifest(place)
        assert manifest is not None
        notes = {"seconds": manifest.seconds, **manifest.notes}
    recipe = load_recipe("glue_small", [
        *TASK_SETTINGS, f"seed={seed}", f"data.root={glue}", f"data.max_rows.train={rows}",
        f"student.encoder={encoder}",
        "student.heads={" + ", ".join(f"{t}: {{pooling: mean}}" for t in TASKS) + "}",
    ])  # fmt: skip
    opened = open_run(recipe, runs / f"tasks-{arm.replace(' ', '-')}-{seed}-{rows}")
    carry_out(opened, recipe, "evaluate", cache=runs / "cache")
    content = json.loads((opened.folder / "evaluation" / "metrics.json").read_text("utf-8"))
    found = content["models"]["student"]
    scores = {task: task_score(opened.tasks[task], found[f"{task}/dev"]) for task in TASKS}
    return {"scores": scores, "metrics": found, "encoder": notes, "machine": environment()}


def compare(scores: Mapping[str, Mapping[int, Mapping[str, float]]]) -> Table:
    """Return, by arm, dev scores over seeds, their mean, and how far that is from the whole's."""
    rows = []
    for arm, by_seed in scores.items():
        cells = [_cell([100 * by_seed[seed][task] for seed in by_seed]) for task in TASKS]
        means = _means(by_seed)
        gap = ""
        if arm != WHOLE and WHOLE in scores:
            mean, error, _ = difference(means, _means(scores[WHOLE]))
            gap = f"{mean:+.1f} +- {error:.1f}"
        rows.append((arm, *cells, _cell(means), gap))
    columns = ("encoder", *TASKS, "mean", f"mean, less that of {WHOLE} (paired, standard error)")
    return Table(columns, tuple(rows))


def _means(by_seed: Mapping[int, Mapping[str, float]]) -> list[float]:
    return [100 * statistics.fmean(scores[task] for task in TASKS) for scores in by_seed.values()]


def _cell(values: list[float]) -> str:
    return f"{statistics.fmean(values):.1f} +- {deviation(values):.1f}"


def _read(path: Path, settings: list[str]) -> dict[tuple[str, int], dict[str, Any]]:
    """Return the runs of these settings that a file holds, by arm and seed."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    entries = [json.loads(line) for line in lines if line.strip()]
    return {(e["arm"], e["seed"]): e for e in entries if e["settings"] == settings}


if __name__ == "__main__":
    main()
