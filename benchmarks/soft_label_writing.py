"""`python -m benchmarks.soft_label_writing`: what writing soft labels adds to the forward pass.

Three teachers of the bundled encoder score rows of the sample data (repeated under new guids). The
forward pass is timed alone; then all that comes after it, its result given: windows on disk,
predictions, the store, and reading the store again to check it. Writes
benchmarks/results/soft_label_writing-<date>.json and .md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import RESULTS
from benchmarks.machine import machine
from benchmarks.rows import ENCODER, fresh_model
from mtkd.devices import start_accelerator
from mtkd.encoders import load_tokenizer
from mtkd.examples import read_examples, tokenise
from mtkd.examples.prepared import PreparedSplit
from mtkd.inference import predict
from mtkd.recipe import DataSettings
from mtkd.soft_labels import StoreInfo, StoreWriter, Teacher, check_store
from mtkd.stages import predictions
from mtkd.task import load_task

TASK = load_task("mnli")
TEACHERS = 3
BOUND = 0.03
ROUNDS = 5


def main() -> None:
    """Time both parts in turn and write the results."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rows", type=int, default=3000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = prepare(folder, rows)
        model, accelerator = fresh_model((TASK.name,)), start_accelerator("auto")
        logits = predict(model, TASK.name, data, accelerator)
        forward, writing = [], []
        for number in range(ROUNDS):
            forward.append(seconds(lambda: predict(model, TASK.name, data, accelerator)))
            place = folder / str(number)
            writing.append(seconds(lambda: write_all(place, data, logits, accelerator)))  # noqa: B023
    # `write_all` writes for all teachers, and the forward pass is of one
    report(rows, [TEACHERS * s for s in forward], writing)


def prepare(folder: Path, rows: int) -> PreparedSplit:
    """Tokenise the sample's rows, again and again under new guids."""
    examples = list(read_examples(TASK, "train", DataSettings(source="sample")))
    repeated = [
        dataclasses.replace(examples[i % len(examples)], guid=f"mnli/train/{i}")
        for i in range(rows)
    ]
    tokenise(repeated, load_tokenizer(ENCODER), 128, folder / "rows.arrow")
    return PreparedSplit(folder / "rows.arrow", 0)


def write_all(
    folder: Path, data: PreparedSplit, logits: NDArray[np.float32], accelerator: object
) -> None:
    """Do for three teachers what follows the forward pass."""
    folder.mkdir()
    rows = np.arange(len(data))
    together = []
    with patch.object(predictions, "predict", lambda *_: logits):
        for number in range(TEACHERS):
            path = folder / f"{number}.parquet"
            predictions._predict_in_windows(None, "", data, rows, accelerator, path, "")  # type: ignore[arg-type]
            together += [np.concatenate([part for _, part in predictions.iter_predictions(
                path, predictions.WINDOW)])]  # fmt: skip
    made = tuple(Teacher(str(number), ENCODER, "") for number in range(TEACHERS))
    info = StoreInfo(TASK.name, "train", TASK.labels, 1.0, made, "f" * 64)
    with StoreWriter(folder / "store.parquet", info) as writer:
        writer.append(data.guid_column.combine_chunks(), data.labels, np.stack(together, axis=1))
    check_store(folder / "store.parquet")


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def report(rows: int, forward: list[float], writing: list[float]) -> None:
    """Write JSON, and a line of Markdown."""
    share = statistics.median(writing) / statistics.median(forward)
    content = {
        "machine": machine(),
        "rows": rows, "teachers": TEACHERS, "forward seconds": forward, "writing seconds": writing,
        "share": share, "bound": BOUND,
    }  # fmt: skip
    content["machine"]["command"] = f"python -m benchmarks.soft_label_writing --rows {rows}"
    stem = f"soft_label_writing-{datetime.now(UTC):%Y-%m-%d}"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{stem}.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    text = (
        f"`{content['machine']['command']}`: {TEACHERS} teachers on {rows:,} rows, forward "
        f"{statistics.median(forward):.2f} s ({min(forward):.2f} to {max(forward):.2f}), writing "
        f"{statistics.median(writing):.3f} s ({min(writing):.3f} to {max(writing):.3f}): "
        f"{100 * share:.2f} % (bound {100 * BOUND:.0f} %), median of {ROUNDS} rounds (range)\n"
    )
    (RESULTS / f"{stem}.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
