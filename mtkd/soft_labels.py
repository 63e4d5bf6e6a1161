"""Soft-label stores: what several teachers believe of each row, on disk, joined by guid alone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from mtkd.errors import ShapeError, StoreError
from mtkd.task import Task

_SUM_TOLERANCE = 1e-4
_SCHEMA_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Teacher:
    """Who made one of a store's columns of logits."""

    name: str
    encoder: str
    sha256: str  # of the fine-tuned weights


@dataclasses.dataclass(frozen=True)
class StoreInfo:
    """A store's provenance: the JSON under the Parquet schema's metadata key `mtkd`."""

    task: str
    split: str
    labels: tuple[str, ...]  # class names in the order of every column of logits
    temperature: float
    teachers: tuple[Teacher, ...]
    data_fingerprint: str
    version: int = _SCHEMA_VERSION

    def to_json(self) -> str:
        """Return the metadata text."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> StoreInfo:
        """Read the metadata text."""
        content = json.loads(text)
        teachers = tuple(Teacher(**teacher) for teacher in content.pop("teachers"))
        return cls(**{**content, "labels": tuple(content["labels"]), "teachers": teachers})


@dataclasses.dataclass(frozen=True)
class SoftLabelStore:
    """One store in memory.

    targets: (rows, classes) probabilities or (rows, 1) mean scores; NaN where a row has none.
    """

    path: Path
    info: StoreInfo
    guids: list[str]
    targets: NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class SoftTargets:
    """Soft labels joined to rows of data, in the order of the data.

    targets: (rows, classes) probabilities, or (rows, 1) scores. known: (rows,), whether the row
    has a soft label; where not, its targets are NaN.
    """

    targets: NDArray[np.float32]
    known: NDArray[np.bool_]


def average(task: Task, logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return soft labels: the mean over teachers of class probabilities, or of scores.

    Args: logits: (rows, teachers, classes), raw. temperature: T > 0 in each teacher's softmax.
    Returns: (rows, classes) probabilities, mean of softmax(logits / T); for regression (rows, 1).
        Averaging logits instead would be another, geometric, mean.
    Source: Liu et al. 2019, arXiv 1904.09482, section 3 (T = 1).
    """
    if logits.ndim != 3 or logits.shape[2] != task.num_outputs:
        raise ShapeError(f"{task.name}: expected logits (rows, teachers, {task.num_outputs}), "
                         f"got {logits.shape}")  # fmt: skip
    exact = logits.astype(np.float64)
    if task.kind == "regression":
        return exact.mean(axis=1).astype(np.float32)
    return softmax(exact / temperature, axis=2).mean(axis=1).astype(np.float32)


def as_logits(task: Task, targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return logits whose softmax is `targets`, so that an ensemble is scored like a model."""
    if task.kind == "regression":
        return targets
    return log_softmax(np.log(np.maximum(targets, 1e-30)), axis=1).astype(np.float32)


def write_store(
    path: Path,
    task: Task,
    info: StoreInfo,
    guids: Sequence[str],
    gold: NDArray[np.float64],
    logits: NDArray[np.float32],
) -> None:
    """Write one split's store: columns guid, label, logits, probs, score.

    Args: gold: (rows,), NaN where unknown. logits: (rows, teachers, classes), raw.
    """
    if logits.ndim == 3:  # else average refuses it
        _check_rows(path, np.asarray(np.isfinite(logits).all(axis=(1, 2))))
    targets = average(task, logits, info.temperature)
    rows, teachers, classes = logits.shape
    _check_values(path, targets, task.kind == "classification")
    flat = pa.array(np.ascontiguousarray(logits, dtype=np.float32).ravel())
    per_class = pa.ListArray.from_arrays(_offsets(rows * teachers, classes), flat)
    columns = {
        "guid": pa.array(list(guids), pa.string()),
        "label": pa.array(gold, pa.float64(), from_pandas=True),
        "logits": pa.ListArray.from_arrays(_offsets(rows, teachers), per_class),
        "probs": pa.nulls(rows, pa.list_(pa.float32())),
        "score": pa.nulls(rows, pa.float32()),
    }
    if task.kind == "regression":
        columns["score"] = pa.array(targets[:, 0], pa.float32())
    else:
        columns["probs"] = pa.ListArray.from_arrays(
            _offsets(rows, classes), pa.array(targets.ravel())
        )
    table = pa.table(columns).replace_schema_metadata({"mtkd": info.to_json()})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd")


def read_store(path: Path) -> SoftLabelStore:
    """Read a store and check what it says of itself.

    Raises: StoreError: not a store, or values that cannot be soft labels.
    """
    try:
        table = pq.read_table(path)
        info = StoreInfo.from_json((table.schema.metadata or {})[b"mtkd"])
        guids = table.column("guid").to_pylist()
        column = table.column("probs" if info.labels else "score").combine_chunks()
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: not a soft-label store ({error}); make it anew with "
                         "`mtkd soften`") from error  # fmt: skip
    if info.version != _SCHEMA_VERSION:
        raise StoreError(f"{path}: a store of version {info.version}, expected {_SCHEMA_VERSION}; "
                         "make it anew with `mtkd soften`")  # fmt: skip
    known = column.is_valid().to_numpy(zero_copy_only=False)
    flat = column.drop_null()
    numbers = (flat.flatten() if info.labels else flat).to_numpy(zero_copy_only=False)
    width = len(info.labels) or 1
    if info.labels and not pc.all(pc.equal(pc.list_value_length(flat), width), min_count=0).as_py():
        raise StoreError(f"{path}: rows whose probs are not {width} numbers")
    targets = np.full((len(guids), width), np.nan, dtype=np.float32)
    targets[known] = numbers.reshape(-1, width)
    _check_values(path, targets[known], bool(info.labels))
    return SoftLabelStore(path, info, guids, targets)


def join(
    store: SoftLabelStore,
    task: Task,
    guids: Sequence[str],
    data_fingerprint: str,
    temperature: float,
) -> SoftTargets:
    """Return the store's targets in the order of `guids`.

    Nothing is realigned in silence: another task, class order, temperature, data fingerprint or
    set of guids is refused.

    Raises: StoreError: saying what differs.
    """
    info = store.info
    for what, found, expected in (
        ("task", info.task, task.name),
        ("class order", list(info.labels), list(task.labels)),
        ("temperature", info.temperature, temperature),
        ("data fingerprint", info.data_fingerprint, data_fingerprint),
    ):
        if found != expected:
            raise StoreError(f"{store.path}: its {what} is {found}, the data's {expected}; "
                             "make it anew with `mtkd soften`")  # fmt: skip
    place = {guid: i for i, guid in enumerate(store.guids)}
    if len(place) != len(store.guids):
        raise StoreError(f"{store.path}: a guid stands twice; make it anew with `mtkd soften`")
    if missing := [guid for guid in guids if guid not in place]:
        raise StoreError(f"{store.path}: no soft label for {len(missing)} rows of the data, first "
                         f"{missing[0]}; make it anew with `mtkd soften`")  # fmt: skip
    if extra := place.keys() - set(guids):
        raise StoreError(f"{store.path}: {len(extra)} soft labels for no row of the data, first "
                         f"{min(extra)}; make it anew with `mtkd soften`")  # fmt: skip
    targets = store.targets[[place[guid] for guid in guids]]
    return SoftTargets(targets, np.asarray(np.isfinite(targets).all(axis=1)))


def _offsets(lists: int, length: int) -> pa.Array:
    return pa.array(np.arange(lists + 1, dtype=np.int32) * np.int32(length))


def _check_values(path: Path, targets: NDArray[np.float32], are_probabilities: bool) -> None:
    finite = np.isfinite(targets).all(axis=1)
    if are_probabilities:
        sums = np.abs(targets.sum(axis=1, dtype=np.float64) - 1) <= _SUM_TOLERANCE
        good = finite & (targets >= 0).all(axis=1) & sums
    else:
        good = finite
    _check_rows(path, good)


def _check_rows(path: Path, good: NDArray[np.bool_]) -> None:
    if not good.all():
        raise StoreError(
            f"{path}: {int((~good).sum())} rows are not soft labels (not finite, negative, or not "
            f"of sum 1), first row {int(np.flatnonzero(~good)[0])}"
        )
