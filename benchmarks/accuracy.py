"""`make bench-accuracy GLUE=glue_data`, or `python -m benchmarks.accuracy GLUE_DATA`.

Does speed cost accuracy? RTE and MRPC are trained together on real rows, once a seed for each arm,
and scored on dev, into benchmarks/results/accuracy-<date>.jsonl.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.arms import arguments, carry_out, dev_scores, difference, scores_of, spread, start
from benchmarks.harness import Table
from benchmarks.results import table_lines

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
    given = arguments("accuracy", str(__doc__), ARMS, seeds=5).parse_args()
    start()

    def once(arm: str, seed: int) -> dict[str, Any]:
        return run(given.glue, arm, seed, given.rows, given.runs)

    settings = [*SETTINGS, f"rows={given.rows}"]
    found = carry_out(given.results, settings, given.arms or possible_arms(), given.seeds, once)
    print("\n".join(table_lines(compare(scores_of(found)))))


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
    from mtkd import pipeline
    from mtkd.artifacts import environment, read_manifest
    from mtkd.recipe import load_recipe

    overrides = [*SETTINGS, *ARMS[arm], f"seed={seed}", f"data.root={glue}",
                 f"data.max_rows.train={rows}"]  # fmt: skip
    recipe = load_recipe("glue_small", overrides)
    opened = pipeline.open_run(recipe, runs / f"{arm}-{seed}-{rows}")
    pipeline.carry_out(opened, recipe, "evaluate", cache=runs / "cache")
    manifest = read_manifest(opened.folder / "student")
    assert manifest is not None
    return {**dev_scores(opened.folder, opened.tasks, TASKS), "seconds": manifest.seconds,
            "machine": environment()}  # fmt: skip


def compare(scores: Mapping[str, Mapping[int, Mapping[str, float]]]) -> Table:
    """Return, by task and arm, the dev score over seeds and how far it is from the default's.

    Args: scores: of each arm, by seed and task.
    """
    rows = []
    for task in TASKS:
        for arm, by_seed in scores.items():
            values = [100 * by_seed[seed][task] for seed in by_seed]
            cell = spread(values)
            if arm == DEFAULT or DEFAULT not in scores:
                rows.append((task, arm, cell, "", ""))
                continue
            default = [100 * scores[DEFAULT][seed][task] for seed in by_seed]
            mean, error, verdict = difference(values, default)
            rows.append((task, arm, cell, f"{mean:+.1f} +- {error:.1f}", verdict))
    columns = ("task", "arm", "dev score, mean and deviation over seeds",
               "difference to default, with standard error (paired)", "within noise")  # fmt: skip
    return Table(columns, tuple(rows))


if __name__ == "__main__":
    main()
