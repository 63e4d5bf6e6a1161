"""`make bench-accuracy GLUE=glue_data`, or `python -m benchmarks.accuracy GLUE_DATA`.

Does speed cost accuracy? RTE and MRPC are trained together on real rows, once a seed for each arm,
and scored on dev. Each finished run is a line of benchmarks/results/accuracy-<date>.jsonl; a run
that stands there is not done again, so an interrupted command goes on with `--results` of its file.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, Table
from benchmarks.results import table_lines
from mtkd.errors import Interrupted

TASKS = ("rte", "mrpc")
DEFAULT = "default"
ARMS: Mapping[str, tuple[str, ...]] = {
    DEFAULT: (),
    "unbucketed": ("training.bucket_batches=0",),
    "fp32": ("training.precision=fp32",),
    "compiled": ("training.compile=on",),
}
SETTINGS = (
    "tasks=[rte,mrpc]",
    "teachers=null",
    "baseline=false",
    "training.learning_rate=4e-4",
    "training.epochs=4",
    "data.max_rows.test=1",  # of no use here, and three times as many rows as dev
    "training.keep=last",  # the best of four epochs would be chosen on the rows it is scored on
)


def main() -> None:
    """Run what is missing, and say how far each arm is from the default."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[2])
    parser.add_argument("glue", type=Path, help="a glue_data folder")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--rows", type=int, default=1000, help="train rows a task")
    parser.add_argument("--arms", nargs="+", choices=ARMS, help="else all that can run here")
    parser.add_argument("--runs", type=Path, default=Path("runs/accuracy"))
    parser.add_argument("--results", type=Path, help="a .jsonl to go on with")
    given = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"

    from mtkd.terminal import log_to_stderr

    log_to_stderr(logging.INFO)
    path = given.results or RESULTS / f"accuracy-{datetime.now(UTC):%Y-%m-%d}.jsonl"
    arms = given.arms or possible_arms()
    done = read_done(path)
    for seed in given.seeds:  # arms in turn, so that an early stop leaves whole seeds
        for arm in arms:
            key = (arm, seed, given.rows)
            if key not in done:
                try:
                    done[key] = run(given.glue, arm, seed, given.rows, given.runs)
                except Interrupted as stopped:
                    sys.exit(f"{stopped}; the same command with --results {path} goes on")
                append(path, {"arm": arm, "seed": seed, "rows": given.rows,
                              "settings": list(SETTINGS), **done[key]})  # fmt: skip
    scores = {
        arm: {seed: done[arm, seed, given.rows]["scores"] for seed in given.seeds} for arm in arms
    }
    print("\n".join(table_lines(compare(scores))))


def possible_arms() -> list[str]:
    """Return the arms that this mtkd and this machine can run; say which are left out, and why."""
    import torch

    from mtkd.recipe import TrainingSettings

    arms = list(ARMS)
    missing = None
    if "compile" not in TrainingSettings.model_fields:
        missing = "this mtkd has no training.compile"
    elif not torch.cuda.is_available() and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        missing = "no GPU and no C++ compiler"
    if missing:
        arms.remove("compiled")
        print(f"compiled: left out: {missing}", file=sys.stderr)
    return arms


def run(glue: Path, arm: str, seed: int, rows: int, runs: Path) -> dict[str, Any]:
    """Train and score once; return dev scores by task and the seconds of training."""
    from mtkd.artifacts import environment, read_manifest
    from mtkd.metrics import task_score
    from mtkd.pipeline import carry_out, open_run
    from mtkd.recipe import load_recipe

    overrides = [*SETTINGS, *ARMS[arm], f"seed={seed}", f"data.root={glue}",
                 f"data.max_rows.train={rows}"]  # fmt: skip
    recipe = load_recipe("glue_small", overrides)
    opened = open_run(recipe, runs / f"{arm}-{seed}-{rows}")
    carry_out(opened, recipe, "evaluate", cache=runs / "cache")
    content = json.loads((opened.folder / "evaluation" / "metrics.json").read_text("utf-8"))
    found = content["models"]["student"]
    scores = {task: task_score(opened.tasks[task], found[f"{task}/dev"]) for task in TASKS}
    manifest = read_manifest(opened.folder / "student")
    assert manifest is not None
    return {"scores": scores, "seconds": manifest.seconds, "metrics": found,
            "machine": environment()}  # fmt: skip


def read_done(path: Path) -> dict[tuple[str, int, int], dict[str, Any]]:
    """Return the runs that a file holds, by arm, seed and rows; those of other settings are not."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    entries = [json.loads(line) for line in lines if line.strip()]
    return {(e["arm"], e["seed"], e["rows"]): e for e in entries if e["settings"] == [*SETTINGS]}


def append(path: Path, entry: Mapping[str, Any]) -> None:
    """Add one finished run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def compare(scores: Mapping[str, Mapping[int, Mapping[str, float]]]) -> Table:
    """Return, by task and arm, the dev score over seeds and how far it is from the default's.

    Args: scores: of each arm, by seed and task.
    """
    rows = []
    for task in TASKS:
        for arm, by_seed in scores.items():
            values = [100 * by_seed[seed][task] for seed in by_seed]
            cell = f"{statistics.fmean(values):.1f} +- {deviation(values):.1f}"
            if arm == DEFAULT or DEFAULT not in scores:
                rows.append((task, arm, cell, "", ""))
                continue
            default = [100 * scores[DEFAULT][seed][task] for seed in by_seed]
            mean, error, verdict = difference(values, default)
            rows.append((task, arm, cell, f"{mean:+.1f} +- {error:.1f}", verdict))
    columns = ("task", "arm", "dev score, mean and deviation over seeds",
               "difference to default, with standard error (paired)", "within noise")  # fmt: skip
    return Table(columns, tuple(rows))


def difference(values: Sequence[float], default: Sequence[float]) -> tuple[float, float, str]:
    """Return the mean difference, its standard error paired by seed, and whether it is noise.

    Noise: within two standard errors. A difference beyond is set against one seed's deviation.
    """
    gaps = [a - b for a, b in zip(values, default, strict=True)]
    mean, error = statistics.fmean(gaps), deviation(gaps) / len(gaps) ** 0.5
    if len(gaps) > 1 and abs(mean) <= 2 * error:
        return mean, error, "yes, 2 standard errors"
    if len(gaps) > 1 and abs(mean) <= max(deviation(values), deviation(default)):
        return mean, error, "no, though less than the deviation over seeds"
    return mean, error, "NO" if len(gaps) > 1 else "one seed says nothing"


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample; 0 of one value."""
    return statistics.stdev(values) if len(values) > 1 else 0.0


if __name__ == "__main__":
    main()
