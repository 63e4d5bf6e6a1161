"""Arms that are trained and scored once a seed: asked for, carried out, kept, compared.

Each finished run is a line of a .jsonl under benchmarks/results/. A run that stands there is not
done again, so an interrupted command goes on with `--results` of its file.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS
from mtkd.errors import Interrupted

Found = dict[tuple[str, int], dict[str, Any]]


def arguments(
    name: str, description: str, arms: Iterable[str], seeds: int
) -> argparse.ArgumentParser:
    """Return what every such benchmark can be asked for.

    Args: name: of its results. description: of the module, whose first paragraph is a command.
    seeds: how many, unless told.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[2])
    parser.add_argument("glue", type=Path, help="a glue_data folder")
    parser.add_argument("--seeds", type=int, nargs="+", default=[*range(1, seeds + 1)])
    parser.add_argument("--rows", type=int, default=1000, help="train rows a task")
    parser.add_argument("--arms", nargs="+", choices=[*arms], help="else all that can run here")
    parser.add_argument("--runs", type=Path, default=Path("runs") / name)
    parser.add_argument("--results", type=Path, help="a .jsonl to go on with; else today's",
                        default=RESULTS / f"{name}-{datetime.now(UTC):%Y-%m-%d}.jsonl")  # fmt: skip
    return parser


def start() -> None:
    """Log to the terminal, and ask no hub; before anything imports huggingface_hub."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from mtkd.terminal import log_to_stderr

    log_to_stderr(logging.INFO)


def carry_out(
    path: Path, settings: Sequence[str], arms: Iterable[str], seeds: Sequence[int],
    run: Callable[[str, int], dict[str, Any]],
) -> Found:  # fmt: skip
    """Return what each arm found with each seed; runs that `path` lacks are done and added to it.

    Args: settings: of all arms; a line made with others counts for nothing.
    """
    done = read_done(path, settings)
    for seed in seeds:  # arms in turn, so that an early stop leaves whole seeds
        for arm in arms:
            if (arm, seed) in done:
                continue
            try:
                done[arm, seed] = run(arm, seed)
            except Interrupted as stopped:
                sys.exit(f"{stopped}; the same command with --results {path} goes on")
            append(path, {"arm": arm, "seed": seed, "settings": [*settings], **done[arm, seed]})
    return {(arm, seed): done[arm, seed] for arm in arms for seed in seeds}


def read_done(path: Path, settings: Sequence[str]) -> Found:
    """Return the runs of some settings that a file holds, by arm and seed.

    A last line that was cut short, as by a kill, counts for nothing.
    """
    text = path.read_text("utf-8") if path.exists() else ""
    lines = text[: text.rfind("\n") + 1].splitlines()
    entries = [json.loads(line) for line in lines if line.strip()]
    return {(e["arm"], e["seed"]): e for e in entries if e["settings"] == [*settings]}


def append(path: Path, entry: Mapping[str, Any]) -> None:
    """Add one finished run, in place of a last line that was cut short."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        file.seek(0)
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
        file.write(json.dumps(entry).encode() + b"\n")


def scores_of(found: Found) -> dict[str, dict[int, dict[str, float]]]:
    """Return the dev scores of each arm, by seed and task."""
    scores: dict[str, dict[int, dict[str, float]]] = {}
    for (arm, seed), entry in found.items():
        scores.setdefault(arm, {})[seed] = entry["scores"]
    return scores


def dev_scores(folder: Path, tasks: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the score of each task that a finished run's student has on dev, and all metrics."""
    from mtkd.metrics import task_score

    content = json.loads((folder / "evaluation" / "metrics.json").read_text("utf-8"))
    found = content["models"]["student"]
    scores = {name: task_score(tasks[name], found[f"{name}/dev"]) for name in names}
    return {"scores": scores, "metrics": found}


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


def spread(values: Sequence[float]) -> str:
    """Return "mean +- deviation"."""
    return f"{statistics.fmean(values):.1f} +- {deviation(values):.1f}"
