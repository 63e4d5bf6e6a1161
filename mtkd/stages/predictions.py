"""predictions/<model>/<task>/: the raw logits of one trained model for the rows of some splits."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mtkd.errors import RunDirError
from mtkd.examples import Fold
from mtkd.stages.places import Part, predictions_place, prepared_place
from mtkd.stages.prepare import has_gold, test_splits
from mtkd.stages.unit import Run, Unit

if TYPE_CHECKING:
    from mtkd.examples.prepared import PreparedSplit

WINDOW = 16_384  # rows that are scored together, then kept: what is lost when a run is stopped
UNLABELLED = "unlabelled"


@dataclasses.dataclass(frozen=True)
class Scoring:
    """Rows of a task to be scored by a trained model.

    model: name in predictions/. place: where the trained model stands. kinds: of splits (train,
    dev, test); only "unlabelled" stands for the rows without gold labels, which are kept apart.
    fold: the part of the rows to score; None for all.
    """

    model: str
    place: str
    encoder: str
    task: str
    kinds: tuple[str, ...]
    fold: Fold | None = None


def predictions_unit(run: Run, stage: str, scoring: Scoring) -> Unit:
    """Return the unit that writes the logits for a task's rows."""
    parts = parts_of(run, scoring)
    return Unit(
        stage=stage,
        place=predictions_place(scoring.model, scoring.task, unlabelled="unlabelled" in parts),
        settings={
            "splits": list(scoring.kinds),
            "rows in a window": WINDOW,
            "training.precision": run.recipe.training.precision,
            **({"fold": str(scoring.fold)} if scoring.fold else {}),
        },
        needs=(
            scoring.place,
            *(prepared_place(scoring.encoder, scoring.task, part) for part in parts),
        ),
        build=partial(_build, run, scoring),
        all_processes=True,
        version=2,  # sums are taken in another order than in version 1
    )


def parts_of(run: Run, scoring: Scoring) -> tuple[Part, ...]:
    """Return which of a task's prepared rows are scored."""
    card = run.tasks[scoring.task]
    there: dict[Part, bool] = {
        "gold": has_gold(card) and bool({"train", "dev"} & set(scoring.kinds)),
        "test": "test" in scoring.kinds and bool(test_splits(run, card)),
        "unlabelled": UNLABELLED in scoring.kinds,
    }
    return tuple(part for part, is_there in there.items() if is_there)


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


def _build(run: Run, scoring: Scoring, folder: Path) -> dict[str, Any]:
    from mtkd.stages.scoring import predict_splits  # with torch, not to list a run

    return predict_splits(run, scoring, folder)
