"""Scoring rows with one trained model, a window at a time, so that a stop loses little."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from mtkd.artifacts import publish, remove, write_file
from mtkd.checkpoint import load_tensors, save_tensors
from mtkd.devices import start_accelerator
from mtkd.errors import EncoderError, RunDirError
from mtkd.examples.prepared import PreparedSplit
from mtkd.inference import predict
from mtkd.model import MultiTaskModel
from mtkd.stages.predictions import WINDOW, Scoring, parts_of
from mtkd.stages.prepared import open_prepared
from mtkd.stages.unit import Run

if TYPE_CHECKING:
    from accelerate import Accelerator

log = logging.getLogger(__name__)


def predict_splits(run: Run, scoring: Scoring, folder: Path) -> dict[str, Any]:
    """Write the logits for a task's rows, a file for each split; return notes."""
    place, name = scoring.place, scoring.task
    task = run.tasks[name]
    head = task.head_of or name
    model = MultiTaskModel.load(run.folder / place)
    order = model.head_configs[head]["labels"]
    if list(task.labels) != order:
        raise EncoderError(f"{place}: the head {head} has labels {order}, the card of {name} "
                           f"{list(task.labels)}; train it anew with this card")  # fmt: skip
    accelerator = start_accelerator(run.recipe.training.precision)
    counts = {}
    opened = [open_prepared(run, scoring.encoder, name, part) for part in parts_of(run, scoring)]
    for split, prepared in [(split, each) for each in opened for split in each.splits]:
        if split.split("_")[0] not in scoring.kinds:
            continue
        data = prepared.split(split)
        fold = scoring.fold
        rows = np.arange(len(data)) if fold is None else np.flatnonzero(fold.holds(data.guids))
        title = f"{place} on {name}/{split}"
        _predict_in_windows(
            model, head, data, rows, accelerator, folder / f"{split}.parquet", title
        )
        counts[split] = len(rows)
    log.info("%s on %s: %s", place, name, json.dumps(counts))
    return {"rows": counts, "precision": accelerator.mixed_precision}


def _predict_in_windows(
    model: MultiTaskModel,
    head: str,
    data: PreparedSplit,
    rows: NDArray[np.int64],
    accelerator: Accelerator,
    path: Path,
    title: str,
) -> None:
    """Predict `rows`, keeping each window's logits, then write them as one file.

    What an interrupted attempt kept, a whole file or some windows, is not predicted again. Batches
    are made within a window, so that the file has the same bytes either way.
    """
    parts = path.with_suffix(".parts")
    if path.is_file():
        if accelerator.is_main_process:
            remove(parts)
        return
    tokens = parts / "tokens"  # at once, where fewer fitted than usual: a resume takes as many

    def record(fitting: int) -> None:
        write_file(tokens, str(fitting).encode())

    windows = [rows[start : start + WINDOW] for start in range(0, len(rows), WINDOW)]
    for number, window in enumerate(windows):
        part = parts / f"{number}.safetensors"
        if _is_whole(part, len(window)):
            continue
        most = int(tokens.read_text("utf-8")) if tokens.is_file() else None
        logits = predict(model, head, data, accelerator, title, window, most, record)
        if accelerator.is_main_process:
            _keep(part, logits)
    if accelerator.is_main_process:
        schema = pa.schema([("guid", pa.string()), ("logits", pa.list_(pa.float32()))])
        partial = path.with_suffix(".partial")
        with pq.ParquetWriter(
            partial, schema, compression="zstd", write_page_checksum=True
        ) as writer:
            for number, window in enumerate(windows):
                logits = load_tensors(parts / f"{number}.safetensors")["logits"].numpy()
                offsets = np.arange(len(window) + 1, dtype=np.int32) * np.int32(logits.shape[1])
                lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(logits.ravel()))
                guids = data.guid_column.take(pa.array(window)).combine_chunks()
                writer.write_table(pa.table([guids, lists], schema=schema))
        publish(partial, path)
        remove(parts)
    accelerator.wait_for_everyone()


def _is_whole(part: Path, rows: int) -> bool:
    """Return whether a window's logits are there as they were written."""
    if not part.is_file():
        return False
    try:
        return len(load_tensors(part)["logits"]) == rows
    except RunDirError as error:
        log.warning("predicted anew: %s", error)
        return False


def _keep(part: Path, logits: NDArray[np.float32]) -> None:
    """Write a window's logits, whole or not at all, with a checksum."""
    partial = part.with_suffix(".partial")
    part.parent.mkdir(exist_ok=True)
    save_tensors(partial, {"logits": torch.from_numpy(logits)})
    publish(partial, part)
