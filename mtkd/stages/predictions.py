"""predictions/<model>/<task>/: the raw logits of one trained model for the rows of some splits."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mtkd.artifacts import publish, remove, write_file
from mtkd.devices import start_accelerator
from mtkd.errors import EncoderError, RunDirError
from mtkd.examples import Fold, PreparedSplit
from mtkd.inference import predict
from mtkd.model import MultiTaskModel
from mtkd.stages.prepare import open_prepared, prepared_place, unlabelled_place
from mtkd.stages.unit import Run, Unit

if TYPE_CHECKING:
    from accelerate import Accelerator

WINDOW = 16_384  # rows that are scored together, then kept: what is lost when a run is stopped
UNLABELLED = "unlabelled"

log = logging.getLogger(__name__)


def predictions_place(model: str, task: str, *, unlabelled: bool = False) -> str:
    """Return where a model's predictions for a task stand."""
    return f"predictions{'_unlabelled' * unlabelled}/{model}/{task}"


def predictions_unit(
    run: Run,
    stage: str,
    model: str,
    place: str,
    encoder: str,
    task: str,
    kinds: Sequence[str],
    fold: Fold | None = None,
) -> Unit:
    """Return the unit that predicts a task's splits of some kinds (train, dev, test).

    Args: model: name in predictions/. place: where the trained model stands. kinds: only
        "unlabelled" stands for the rows without gold labels, which are kept apart. fold: the part
        of the rows to predict; None for all.
    """
    unlabelled = tuple(kinds) == (UNLABELLED,)
    rows = (unlabelled_place if unlabelled else prepared_place)(encoder, task)
    return Unit(
        stage=stage,
        place=predictions_place(model, task, unlabelled=unlabelled),
        settings={
            "splits": list(kinds),
            "rows in a window": WINDOW,
            "training.precision": run.recipe.training.precision,
            **({"fold": str(fold)} if fold else {}),
        },
        needs=(place, rows),
        build=partial(_build, run, place, encoder, task, tuple(kinds), fold),
        all_processes=True,
        version=2,  # sums are taken in another order than in version 1
    )


def read_predictions(
    run: Run, model: str, task: str, split: str
) -> tuple[list[str], NDArray[np.float32]]:
    """Return guids, and logits (rows, outputs), in file order."""
    parts = list(iter_predictions(_path(run, model, task, split), WINDOW))
    return [g for guids, _ in parts for g in guids.to_pylist()], np.concatenate(
        [logits for _, logits in parts]
    )


def logits_of(
    run: Run, model: str, task: str, split: str, data: PreparedSplit
) -> NDArray[np.float32]:
    """Return a model's logits, (rows, outputs), for the rows of `data`.

    Raises: RunDirError: they are for others.
    """
    guids, logits = read_predictions(run, model, task, split)
    if guids != data.guids:
        raise RunDirError(f"{_path(run, model, task, split)}: predictions for other rows than the "
                          "data's; delete predictions/ and run again")  # fmt: skip
    return logits


class PredictionReader:
    """Reads one model's predictions for a split from front to back, in pieces of any size."""

    def __init__(self, run: Run, model: str, task: str, split: str) -> None:
        self._path = _path(run, model, task, split)
        self._parts = iter_predictions(self._path, WINDOW)
        self._guids: pa.Array = pa.array([], pa.string())
        self._logits: NDArray[np.float32] | None = None

    def take(self, guids: pa.Array) -> NDArray[np.float32]:
        """Return the logits, (rows, outputs), of the next rows, which have to be `guids`.

        Raises: RunDirError: they are others.
        """
        while len(self._guids) < len(guids) and (part := next(self._parts, None)) is not None:
            self._guids = pa.concat_arrays([self._guids, part[0]])
            before = [] if self._logits is None else [self._logits]
            self._logits = np.concatenate([*before, part[1]])
        found, self._guids = self._guids[: len(guids)], self._guids[len(guids) :]
        if not found.equals(guids) or self._logits is None:
            raise RunDirError(f"{self._path}: predictions for other rows than the data's; delete "
                              f"{self._path.parent} and run again")  # fmt: skip
        logits, self._logits = self._logits[: len(guids)], self._logits[len(guids) :]
        return logits


def iter_predictions(path: Path, rows: int) -> Iterator[tuple[pa.Array, NDArray[np.float32]]]:
    """Yield guids and logits, (rows, outputs), a piece at a time.

    Raises: RunDirError: the file cannot be read.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for batch in file.iter_batches(rows, columns=["guid", "logits"]):
                logits = batch.column("logits").flatten().to_numpy().reshape(len(batch), -1)
                yield batch.column("guid"), logits.astype(np.float32)
    except (OSError, pa.ArrowException, KeyError, ValueError, MemoryError) as error:
        raise RunDirError(f"{path}: cannot be read ({error}); delete {path.parent} and run again"
                          ) from error  # fmt: skip


def _path(run: Run, model: str, task: str, split: str) -> Path:
    unlabelled = split.startswith(UNLABELLED)
    return run.folder / predictions_place(model, task, unlabelled=unlabelled) / f"{split}.parquet"


def _build(
    run: Run,
    place: str,
    encoder: str,
    name: str,
    kinds: tuple[str, ...],
    fold: Fold | None,
    folder: Path,
) -> dict[str, Any]:
    task = run.tasks[name]
    head = task.head_of or name
    model = MultiTaskModel.load(run.folder / place)
    order = model.head_configs[head]["labels"]
    if list(task.labels) != order:
        raise EncoderError(f"{place}: the head {head} has labels {order}, the card of {name} "
                           f"{list(task.labels)}; train it anew with this card")  # fmt: skip
    accelerator = start_accelerator(run.recipe.training.precision)
    prepared = open_prepared(run, encoder, name, unlabelled=kinds == (UNLABELLED,))
    counts = {}
    for split in prepared.splits:
        if split.split("_")[0] not in kinds:
            continue
        data = prepared.split(split)
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
    windows = [rows[start : start + WINDOW] for start in range(0, len(rows), WINDOW)]
    for number, window in enumerate(windows):
        part = parts / f"{number}.npy"
        if _is_whole(part, len(window)):
            continue
        logits = predict(model, head, data, accelerator, title, window)
        if accelerator.is_main_process:
            write_file(part, _to_npy(logits))
    if accelerator.is_main_process:
        schema = pa.schema([("guid", pa.string()), ("logits", pa.list_(pa.float32()))])
        partial = path.with_suffix(".partial")
        with pq.ParquetWriter(
            partial, schema, compression="zstd", write_page_checksum=True
        ) as writer:
            for number, window in enumerate(windows):
                logits = np.load(parts / f"{number}.npy", allow_pickle=False)
                offsets = np.arange(len(window) + 1, dtype=np.int32) * np.int32(logits.shape[1])
                lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(logits.ravel()))
                guids = data.guid_column.take(pa.array(window)).combine_chunks()
                writer.write_table(pa.table([guids, lists], schema=schema))
        publish(partial, path)
        remove(parts)
    accelerator.wait_for_everyone()


def _is_whole(part: Path, rows: int) -> bool:
    """Return whether a window's logits are there, and readable."""
    try:
        return len(np.load(part, allow_pickle=False)) == rows
    except (OSError, ValueError, EOFError):
        return False


def _to_npy(values: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()
