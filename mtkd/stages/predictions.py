"""predictions/<model>/<task>/: the raw logits of one trained model for the rows of some splits."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mtkd.devices import start_accelerator
from mtkd.errors import EncoderError, RunDirError
from mtkd.inference import predict
from mtkd.model import MultiTaskModel
from mtkd.stages.prepare import open_prepared, prepared_place
from mtkd.stages.unit import Run, Unit

log = logging.getLogger(__name__)


def predictions_place(model: str, task: str) -> str:
    """Return where a model's predictions for a task stand."""
    return f"predictions/{model}/{task}"


def predictions_unit(
    run: Run, stage: str, model: str, place: str, encoder: str, task: str, kinds: Sequence[str]
) -> Unit:
    """Return the unit that predicts a task's splits of some kinds (train, dev, test).

    Args: model: name in predictions/. place: where the trained model stands.
    """
    return Unit(
        stage=stage,
        place=predictions_place(model, task),
        settings={"splits": list(kinds), "training.precision": run.recipe.training.precision},
        needs=(place, prepared_place(encoder, task)),
        build=partial(_build, run, place, encoder, task, tuple(kinds)),
        all_processes=True,
    )


def read_predictions(
    run: Run, model: str, task: str, split: str
) -> tuple[list[str], NDArray[np.float32]]:
    """Return guids, and logits (rows, outputs), in file order."""
    path = run.folder / predictions_place(model, task) / f"{split}.parquet"
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise RunDirError(f"{path}: cannot be read ({error}); delete {path.parent}") from error
    logits = np.stack(table.column("logits").to_numpy()).astype(np.float32)
    return table.column("guid").to_pylist(), logits


def _build(
    run: Run, place: str, encoder: str, name: str, kinds: tuple[str, ...], folder: Path
) -> dict[str, Any]:
    task = run.tasks[name]
    head = task.head_of or name
    model = MultiTaskModel.load(run.folder / place)
    order = model.head_configs[head]["labels"]
    if list(task.labels) != order:
        raise EncoderError(f"{place}: the head {head} has labels {order}, the card of {name} "
                           f"{list(task.labels)}; train it anew with this card")  # fmt: skip
    accelerator = start_accelerator(run.recipe.training.precision)
    prepared = open_prepared(run, encoder, name)
    rows = {}
    for split in prepared.splits:
        if split.split("_")[0] not in kinds:
            continue
        data = prepared.split(split)
        logits = predict(model, head, data, accelerator, f"{place} on {name}/{split}")
        rows[split] = len(data)
        if accelerator.is_main_process:
            flat = pa.array(logits.ravel())
            offsets = pa.array(np.arange(len(data) + 1, dtype=np.int32) * logits.shape[1])
            lists = pa.ListArray.from_arrays(offsets.cast(pa.int32()), flat)
            table = pa.table({"guid": pa.array(data.guids), "logits": lists})
            pq.write_table(table, folder / f"{split}.parquet", compression="zstd")
    log.info("%s on %s: %s", place, name, json.dumps(rows))
    return {"rows": rows, "precision": accelerator.mixed_precision}
