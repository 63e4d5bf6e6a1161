"""What a run's models predict of every scored row, packed; and what was right."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.evidence.statistics import Scored
from benchmarks.evidence.weighted import Array
from mtkd.errors import RunFailed

if TYPE_CHECKING:
    from mtkd.stages import Run
    from mtkd.task import Task

Line = Mapping[str, Any]


def pack_predictions(run: Run, models: Sequence[str], path: Path) -> str:
    """Write the predictions of a finished run's models for all dev rows; return the file's SHA-256.

    An .npz with an array for each "<model>/<task>" that there is: classes as uint8 or scores as
    float32, the rows in the order of the card's dev splits and of their files.

    Raises: RunFailed: a model predicts no task.
    """
    from mtkd.artifacts import write_file

    packed = {}
    for model in models:
        for name in run.trained_tasks:
            task = run.tasks[name]
            parts = [_predicted(run.folder, model, task, split) for split in task.dev_splits]
            if all(part is not None for part in parts):
                kind = np.float32 if task.kind == "regression" else np.uint8
                packed[f"{model}/{name}"] = np.concatenate([np.asarray(p) for p in parts]).astype(
                    kind
                )
        if not any(key.startswith(f"{model}/") for key in packed):
            raise RunFailed(f"{run.folder}: no predictions of {model}")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **packed)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def _predicted(folder: Path, model: str, task: Task, split: str) -> Any:
    """Return a model's predictions of a split; None where it has none."""
    import pandas as pd

    from mtkd.task.decode import predictions

    if model == "ensemble":
        store = folder / "soft_labels" / task.name / f"{split}.parquet"
        if not store.is_file():
            return None
        frame = pd.read_parquet(store)
        if task.kind == "regression":
            return np.clip(frame["score"].to_numpy(), *(task.range or (-np.inf, np.inf)))
        return np.stack(frame["probs"].to_list()).argmax(axis=1)
    place = folder / "predictions" / model / task.name / f"{split}.parquet"
    if not place.is_file():
        return None
    return predictions(task, np.stack(pd.read_parquet(place)["logits"].to_list()))


def gold_of(task: Task) -> Array:
    """Return the gold labels of a card's dev rows, in the order of `pack_predictions`."""
    from mtkd.examples import read_examples
    from mtkd.recipe import DataSettings

    data = DataSettings(source="directory")
    labels = [example.label for split in task.dev_splits
              for example in read_examples(task, split, data)]  # fmt: skip
    return np.array(labels, dtype=np.float64)


def scored(
    lines: Sequence[Line], folder: Path, model: str, cards: Mapping[str, Task],
    gold: Mapping[str, Array],
) -> dict[str, Scored]:  # fmt: skip
    """Return what a model of an arm predicted, by task; tasks that it does not predict left out.

    Args: lines: of the arm, one a seed. folder: of their packed predictions.
    Raises: RunFailed: a file is not the one that its line is of, or predicts other rows or, of one
        seed alone, other tasks.
    """
    files = [_open(folder / line["predictions"], line["sha256"]) for line in lines]
    found = {}
    for name, task in cards.items():
        key = f"{model}/{name}"
        there = [key in file for file in files]
        if any(there) and not all(there):
            raise RunFailed(f"{folder}: {key} is not there for every seed")
        if all(there):
            predicted = np.stack([file[key].astype(np.float64) for file in files])
            if predicted.shape[1] != len(gold[name]):
                raise RunFailed(f"{name}: predictions for {predicted.shape[1]} rows, and "
                                f"{len(gold[name])} are scored: another copy of the data?"
                                )  # fmt: skip
            found[name] = Scored(task.metrics, gold[name], predicted)
    return found


def _open(path: Path, sha256: str) -> Mapping[str, Any]:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise RunFailed(f"{path}: not the file that its line in runs.jsonl is of")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {key: file[key] for key in file.files}
