"""What a run's models predict of every scored row, packed; and what was right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.evidence.statistics import Scored
from benchmarks.evidence.weighted import Array
from mtkd.errors import ShapeError

if TYPE_CHECKING:
    from mtkd.stages import Run
    from mtkd.task import Task


def pack_predictions(run: Run, path: Path) -> list[str]:
    """Write the predictions of a finished run's models for all dev rows; return the models.

    An .npz with an array for each "<model>/<task>": classes as uint8 or scores as float32, the rows
    in the order of the card's dev splits and of their files.
    """
    import pandas as pd

    from mtkd.task.decode import predictions

    found: dict[str, list[Any]] = {}
    for name in run.trained_tasks:
        task = run.tasks[name]
        for split in task.dev_splits:
            for place in sorted((run.folder / "predictions").glob(f"*/{name}/{split}.parquet")):
                logits = np.stack(pd.read_parquet(place)["logits"].to_list())
                key = f"{place.parent.parent.name}/{name}"
                found.setdefault(key, []).append(predictions(task, logits))
            store = run.folder / "soft_labels" / name / f"{split}.parquet"
            if store.is_file():
                found.setdefault(f"ensemble/{name}", []).append(_of_store(store, task))
    packed = {key: _packed(np.concatenate(parts), run.tasks[key.split("/")[1]])
              for key, parts in found.items()}  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **packed)
    return sorted({key.split("/")[0] for key in packed})


def _of_store(path: Path, task: Task) -> Any:
    import pandas as pd

    frame = pd.read_parquet(path)
    if task.kind == "regression":
        return np.clip(frame["score"].to_numpy(), *(task.range or (-np.inf, np.inf)))
    return np.stack(frame["probs"].to_list()).argmax(axis=1)


def _packed(values: Any, task: Task) -> Any:
    return values.astype(np.float32 if task.kind == "regression" else np.uint8)


def gold_of(task: Task) -> Array:
    """Return the gold labels of a card's dev rows, in the order of `pack_predictions`."""
    from mtkd.examples import read_examples
    from mtkd.recipe import DataSettings

    data = DataSettings(source="directory")
    labels = [example.label for split in task.dev_splits
              for example in read_examples(task, split, data)]  # fmt: skip
    return np.array(labels, dtype=np.float64)


def scored(
    lines: Sequence[Mapping[str, Any]], folder: Path, model: str, cards: Mapping[str, Task],
    gold: Mapping[str, Array],
) -> dict[str, Scored]:  # fmt: skip
    """Return what a model of an arm predicted, by task; tasks that it does not predict left out.

    Args: lines: of the arm, one a seed. folder: of their packed predictions.
    """
    files = [np.load(folder / line["predictions"], allow_pickle=False) for line in lines]
    found = {}
    for name, task in cards.items():
        key = f"{model}/{name}"
        if all(key in file.files for file in files):
            predicted = np.stack([file[key].astype(np.float64) for file in files])
            if predicted.shape[1] != len(gold[name]):
                raise ShapeError(f"{name}: predictions for {predicted.shape[1]} rows, and "
                                 f"{len(gold[name])} are scored: another copy of the data?"
                                 )  # fmt: skip
            found[name] = Scored(task.metrics, gold[name], predicted)
    return found
