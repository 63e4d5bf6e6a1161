"""Stores are written row group by row group; the file appears whole or not at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mtkd.artifacts import publish
from mtkd.soft_labels.batch import StoreBatch, check_batch
from mtkd.soft_labels.combine import combine
from mtkd.soft_labels.info import StoreInfo

ROWS = 65_536  # in a row group
_PER_CLASS = pa.list_(pa.float32())
SCHEMA = pa.schema(
    [
        ("guid", pa.string()),
        ("label", pa.float64()),
        ("logits", pa.list_(_PER_CLASS)),
        ("probs", _PER_CLASS),
        ("score", pa.float32()),
    ]
)
_LOGITS, _PROBS = "logits.list.element.list.element", "probs.list.element"


class StoreWriter:
    """Writes one store: columns guid, label, logits, probs, score; memory is that of a row group.

    Used as a context; left by an exception, nothing stays behind.
    """

    def __init__(self, path: Path, info: StoreInfo) -> None:
        self._path = path
        self._info = info
        self._partial = path.with_name(f".{path.name}.partial")
        self._waiting: list[tuple[pa.StringArray, NDArray, NDArray]] = []
        self._held = 0  # rows waiting
        self._sums: list[str] = []
        self._rows = 0

    def __enter__(self) -> StoreWriter:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(
            self._partial,
            SCHEMA,
            compression="zstd",
            use_dictionary=["label"],
            # neighbouring guids share their beginning; a float's exponent bytes resemble each other
            column_encoding={"guid": "DELTA_BYTE_ARRAY", _LOGITS: "BYTE_STREAM_SPLIT",
                             _PROBS: "BYTE_STREAM_SPLIT", "score": "BYTE_STREAM_SPLIT"},
            write_statistics=False,
            store_schema=False,  # else `mtkd` would not be among the schema's metadata for readers
        )  # fmt: skip
        return self

    def append(
        self,
        guids: Sequence[str] | pa.StringArray,
        gold: NDArray[np.float64],
        logits: NDArray[np.float32],
    ) -> None:
        """Add rows.

        Args: gold: (rows,), NaN where unknown. logits: (rows, teachers, classes), raw; NaN
            throughout in a row that has no soft label.
        """
        column = guids if isinstance(guids, pa.Array) else pa.array(list(guids), pa.string())
        self._waiting.append((column, np.asarray(gold, np.float64), logits.astype(np.float32)))
        self._held += len(column)
        if self._held >= ROWS:
            self._flush(to_the_end=False)

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush(to_the_end=True)
                info = dataclasses.replace(
                    self._info, rows=self._rows, row_groups=tuple(self._sums)
                )
                self._writer.add_key_value_metadata({"mtkd": info.to_json()})
            self._writer.close()
            if kind is None:
                publish(self._partial, self._path)
        finally:
            self._partial.unlink(missing_ok=True)

    def _flush(self, *, to_the_end: bool) -> None:
        if not self._waiting:
            return
        columns, golds, logits = zip(*self._waiting, strict=True)
        guids = pa.concat_arrays(columns)
        gold, together = np.concatenate(golds), np.concatenate(logits)
        done = 0
        while len(guids) - done >= ROWS or (to_the_end and done < len(guids)):
            end = min(done + ROWS, len(guids))
            self._write(guids[done:end], gold[done:end], together[done:end])
            done = end
        self._waiting = [(guids[done:], gold[done:], together[done:])] if done < len(guids) else []
        self._held = len(guids) - done

    def _write(
        self, guids: pa.StringArray, gold: NDArray[np.float64], logits: NDArray[np.float32]
    ) -> None:
        with np.errstate(invalid="ignore"):  # what is not finite is refused in the next lines
            targets = combine(self._info, logits)
        batch = StoreBatch(guids, gold, logits, targets)
        check_batch(self._path, self._info, batch, self._rows)
        self._writer.write_table(_to_table(self._info, batch), row_group_size=ROWS)
        self._sums.append(batch.sha256())
        self._rows += len(guids)


def write_store(
    path: Path,
    info: StoreInfo,
    guids: Sequence[str],
    gold: NDArray[np.float64],
    logits: NDArray[np.float32],
) -> None:
    """Write a whole split's store at once; arguments as of `StoreWriter.append`."""
    with StoreWriter(path, info) as writer:
        writer.append(guids, gold, logits)


def _to_table(info: StoreInfo, batch: StoreBatch) -> pa.Table:
    rows, teachers, classes = batch.logits.shape
    known = pa.array(batch.known)
    kept = batch.logits[batch.known]
    per_class = pa.ListArray.from_arrays(
        _offsets(len(kept) * teachers, classes), pa.array(kept.ravel())
    )
    logits = pa.ListArray.from_arrays(_offsets(len(kept), teachers), per_class)
    targets = batch.targets[batch.known]
    probs, score = pa.nulls(rows, _PER_CLASS), pa.nulls(rows, pa.float32())
    if info.labels:
        lists = pa.ListArray.from_arrays(_offsets(len(kept), classes), pa.array(targets.ravel()))
        probs = _spread(lists, known)
    else:
        score = _spread(pa.array(targets[:, 0]), known)
    gold = pa.array(batch.gold, pa.float64(), from_pandas=True)
    return pa.table([batch.guids, gold, _spread(logits, known), probs, score], schema=SCHEMA)


def _spread(values: pa.Array, known: pa.BooleanArray) -> pa.Array:
    """Return `values` at the rows that are known, null at the others."""
    if len(values) == len(known):
        return values
    places = np.cumsum(known.to_numpy(zero_copy_only=False)) - 1
    return values.take(pa.array(places, mask=~known.to_numpy(zero_copy_only=False)))


def _offsets(lists: int, length: int) -> pa.Array:
    return pa.array(np.arange(lists + 1, dtype=np.int32) * np.int32(length))
