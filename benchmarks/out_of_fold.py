"""`python -m benchmarks.out_of_fold GLUE_DATA`: soft labels in fold against out of fold.

On real rows, for each seed two runs that differ in `soft_labels.folds` alone and share their
teachers: how well calibrated are the soft labels of the train rows, and what does the student score
on dev? Writes benchmarks/results/out_of_fold-<date>.json and .md. Runs are kept in `--runs` and
gone on with.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS
from benchmarks.machine import machine
from mtkd.inspection import inspect_store
from mtkd.metrics import task_score
from mtkd.pipeline import carry_out, open_run
from mtkd.recipe import load_recipe
from mtkd.stages import Run
from mtkd.terminal import log_to_stderr

TASKS = ("rte", "mrpc")
FOLDS = 3
ARMS = {"in fold": [], "out of fold": [f"soft_labels.folds={FOLDS}"]}
SETTINGS = (
    "tasks=[rte,mrpc]",
    'teachers.candidates=[{name: one, encoder: "bundled:all-MiniLM-L6-v2", dropout: 0.1}]',
    "teachers.select.keep=1",
    "data.max_rows.train=1000",
    "training.epochs=4",
    "student.distill_weight=1",  # soft labels alone: gold would hide what they are worth
    "baseline=false",
)


def main() -> None:
    """Run both arms for every seed, and write what they gave."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("glue", type=Path, help="a glue_data folder")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--runs", type=Path, default=Path("runs/out_of_fold"))
    arguments = parser.parse_args()
    log_to_stderr(logging.INFO)
    found = [
        {"seed": seed, "arm": arm, **measure(arguments.glue, seed, arm, arguments.runs)}
        for seed in arguments.seeds
        for arm in ARMS
    ]
    write(found)


def measure(glue: Path, seed: int, arm: str, runs: Path) -> dict[str, Any]:
    """Return, by task, calibration and accuracy of the train rows' soft labels, and dev scores."""
    overrides = [*SETTINGS, *ARMS[arm], f"seed={seed}", f"data.root={glue}"]
    recipe = load_recipe("glue_small", overrides)
    run = open_run(recipe, runs / f"{arm.replace(' ', '-')}-{seed}")
    carry_out(run, recipe, "evaluate", cache=runs / "cache")
    return {task: of_task(run, task) for task in TASKS}


def of_task(run: Run, name: str) -> dict[str, float]:
    """Return what is measured of one task."""
    stores = run.folder / "soft_labels" / name
    ensemble = inspect_store(stores / "train.parquet").models[-1]
    dev = inspect_store(stores / "dev.parquet").models[-1]  # of the teachers of all rows
    content = json.loads((run.folder / "evaluation" / "metrics.json").read_text("utf-8"))
    scores = content["models"]["student"][f"{name}/dev"]
    return {
        "train accuracy": ensemble.accuracy,
        "train ECE": ensemble.ece,
        "train NLL": ensemble.nll,
        "train mean max probability": ensemble.max_probability,
        "dev accuracy": dev.accuracy,
        "dev ECE": dev.ece,
        "student dev score": task_score(run.tasks[name], scores),
    }


def write(found: list[dict[str, Any]]) -> None:
    """Write JSON, and a Markdown table of medians with their range over seeds."""
    RESULTS.mkdir(exist_ok=True)
    stem = f"out_of_fold-{datetime.now(UTC):%Y-%m-%d}"
    about = {**machine(), "command": f"python -m {__spec__.name} {' '.join(sys.argv[1:])}"}
    content = {"machine": about, "settings": SETTINGS, "folds": FOLDS, "results": found}
    (RESULTS / f"{stem}.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    seeds = sorted({entry["seed"] for entry in found})
    lines = [
        f"Soft labels of one teacher a task, {FOLDS} folds, seeds {seeds}; median (lowest to "
        "highest). The student learns from soft labels alone.",
        "",
        "| task | measure | in fold | out of fold |",
        "|---|---|---|---|",
    ]
    for task in TASKS:
        for name in found[0][task]:
            cells = [_cell([e[task][name] for e in found if e["arm"] == arm]) for arm in ARMS]
            lines.append(f"| {task} | {name} | {' | '.join(cells)} |")
    (RESULTS / f"{stem}.md").write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


def _cell(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


if __name__ == "__main__":
    main()
