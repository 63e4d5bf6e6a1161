"""`make bench`: training and scoring on the sample data, settings side by side.

Writes benchmarks/results/<date>.json and .md: machine, versions, medians with spread, ratios. The
settings are taken in turn, round after round, so that a machine that slows down slows all of them.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch

from mtkd.artifacts import environment
from mtkd.batching import epoch_order
from mtkd.devices import start_accelerator
from mtkd.encoders import load_tokenizer
from mtkd.examples import PreparedSplit, read_examples, tokenise
from mtkd.inference import predict
from mtkd.model import MultiTaskModel, build_model
from mtkd.recipe import DataSettings, EncoderSettings, TrainingSettings
from mtkd.task import load_task
from mtkd.training import Evaluation, Objective, TrainingTask, train

ENCODER = "bundled:all-MiniLM-L6-v2"
TASKS = ("mnli", "rte", "stsb", "cola")
ROUNDS = 3
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure everything and write the results."""
    with tempfile.TemporaryDirectory() as folder:
        splits = prepare(Path(folder))
        measured = {
            "train one epoch": take_in_turn({
                "fp32, random batches": lambda: train_epoch(splits, "fp32", 0),
                "fp32, length buckets": lambda: train_epoch(splits, "fp32", 16),
                "auto precision, length buckets": lambda: train_epoch(splits, "auto", 16),
            }),
            "score one epoch's rows": take_in_turn({
                "fp32": lambda: score_rows(splits, "fp32"),
                "auto precision": lambda: score_rows(splits, "auto"),
            }),
            "mtkd --help": take_in_turn({"process": show_help}),
        }  # fmt: skip
        padding = {str(n): padding_share(splits, n) for n in (0, 16)}
    write({"machine": machine(), "seconds": measured, "padding by bucket_batches": padding})


def prepare(folder: Path) -> dict[str, PreparedSplit]:
    """Tokenise the sample's train rows."""
    tokenizer = load_tokenizer(ENCODER)
    data = DataSettings(source="sample")
    for name in TASKS:
        rows = read_examples(load_task(name), "train", data)
        tokenise(rows, tokenizer, 128, folder / f"{name}.arrow")
    return {name: PreparedSplit(folder / f"{name}.arrow", 0) for name in TASKS}


def train_epoch(splits: dict[str, PreparedSplit], precision: str, buckets: int) -> float:
    """Return the seconds of one epoch of multi-task training."""
    settings = TrainingSettings(epochs=1, precision=precision, bucket_batches=buckets, keep="last")
    model = fresh_model()
    tasks = [TrainingTask(load_task(name), rows) for name, rows in splits.items()]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        train(
            model, tasks, settings, Objective(0.0), start_accelerator(precision), seed=1,
            folder=Path(folder), evaluate=lambda _: Evaluation({"none": 0.0}, {}), title="bench",
        )  # fmt: skip
        return time.perf_counter() - started


def score_rows(splits: dict[str, PreparedSplit], precision: str) -> float:
    """Return the seconds to predict every row."""
    model = fresh_model().eval()
    accelerator = start_accelerator(precision)
    started = time.perf_counter()
    for name, rows in splits.items():
        predict(model, name, rows, accelerator)
    return time.perf_counter() - started


def show_help() -> float:
    """Return the seconds of `mtkd --help` as a whole process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "mtkd", "--help"], capture_output=True, check=True)
    return time.perf_counter() - started


def fresh_model() -> MultiTaskModel:
    """Return the bundled encoder with new heads."""
    tasks = {name: load_task(name) for name in TASKS}
    return build_model(EncoderSettings(encoder=ENCODER), tasks, {}, seed=1)


def padding_share(splits: dict[str, PreparedSplit], buckets: int) -> float:
    """Return the share of an epoch's tokens that are padding, rounding to 8 included."""
    settings = TrainingSettings(bucket_batches=buckets)
    lengths = {name: rows.lengths for name, rows in splits.items()}
    order = epoch_order(lengths, settings, seed=1, epoch=0)
    padded = sum(len(rows) * -(-lengths[name][rows].max() // 8) * 8 for name, rows in order)
    real = sum(lengths[name][rows].sum() for name, rows in order)
    return float(1 - real / padded)


def take_in_turn(settings: dict[str, Callable[[], float]]) -> dict[str, dict[str, float]]:
    """Measure each setting once a round, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in settings}
    for number in range(ROUNDS + 1):
        for name, measure in settings.items():
            found = measure()
            if number:
                seconds[name].append(found)
    first = statistics.median(next(iter(seconds.values())))
    return {
        name: {"median": statistics.median(s), "min": min(s), "max": max(s),
               "times as fast as the first": first / statistics.median(s)}
        for name, s in seconds.items()
    }  # fmt: skip


def machine() -> dict[str, str]:
    """Return what the figures were measured on and with."""
    return {
        "command": "make bench",
        "processor": platform.processor() or platform.machine(),
        "threads": str(torch.get_num_threads()),
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        **environment(),
    }


def write(results: dict[str, object]) -> None:
    """Write JSON, and a Markdown table of the timings."""
    RESULTS.mkdir(exist_ok=True)
    name = datetime.now(UTC).strftime("%Y-%m-%d")
    (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    lines = ["| measured | setting | seconds, median (min to max) | times as fast |",
             "|---|---|---|---|"]  # fmt: skip
    for what, settings in results["seconds"].items():  # type: ignore[attr-defined]
        for setting, found in settings.items():
            spread = f"{found['median']:.2f} ({found['min']:.2f} to {found['max']:.2f})"
            ratio = f"{found['times as fast as the first']:.2f}"
            lines.append(f"| {what} | {setting} | {spread} | {ratio} |")
    text = "\n".join(lines) + "\n"
    (RESULTS / f"{name}.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
