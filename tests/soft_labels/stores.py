"""Small stores of made-up teachers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mtkd.soft_labels import StoreInfo, Teacher, write_store
from mtkd.task import Task, load_task

MNLI, RTE, STSB = (load_task(name) for name in ("mnli", "rte", "stsb"))
TEACHERS = (Teacher("cased", "bert-base-cased", "ab" * 32), Teacher("uncased", "x/y", "cd" * 32))
FINGERPRINT = "f" * 64
GUIDS = ["t/train/0", "t/train/1", "t/train/7"]
GOLD = np.array([1.0, np.nan, 0.0])
LOGITS = np.array(
    [
        [[2.0, 0.0, -1.0], [-1.0, 0.5, 0.5]],
        [[0.0, 0.0, 0.0], [3.0, -3.0, 1.0]],
        [[9.0, 1.0, 1.0], [1.0, 9.0, 1.0]],
    ],
    dtype=np.float32,
)  # rows x teachers x classes
SCORES = np.array([[[1.0], [2.0]], [[0.5], [4.0]], [[5.0], [5.5]]], dtype=np.float32)


def make_info(card: Task = MNLI, **changes: Any) -> StoreInfo:
    base = StoreInfo(card.name, "train", card.labels, 2.0, TEACHERS, FINGERPRINT)
    return dataclasses.replace(base, **changes)


def make_teachers(count: int) -> tuple[Teacher, ...]:
    return tuple(Teacher(f"t{i}", "x/y", f"{i:064d}") for i in range(count))


def write_small(path: Path, card: Task = MNLI, **changes: Any) -> Path:
    """Write the three rows above."""
    logits = SCORES if card is STSB else LOGITS
    write_store(path, make_info(card, **changes), GUIDS, GOLD, logits)
    return path


@dataclasses.dataclass(frozen=True)
class Rows:
    guids: list[str]
    gold: NDArray[np.float64]
    logits: NDArray[np.float32]


def make_rows(count: int, card: Task = MNLI, seed: int = 0) -> Rows:
    """Random rows; the 3rd has no gold label, and the 5th and 6th no soft label."""
    random = np.random.default_rng(seed)
    gold = random.integers(0, 2, count).astype(np.float64)
    gold[2:3] = np.nan
    logits = random.normal(0, 2, (count, len(TEACHERS), card.num_outputs)).astype(np.float32)
    logits[4:6] = np.nan
    return Rows([f"{card.name}/train/{i}" for i in range(count)], gold, logits)


def write_rows(path: Path, rows: Rows, card: Task = MNLI, **changes: Any) -> Path:
    write_store(path, make_info(card, **changes), rows.guids, rows.gold, rows.logits)
    return path


def edit(path: Path, change: Callable[[pa.Table], pa.Table], **options: Any) -> None:
    """Write a store again as another program might, the metadata kept."""
    table = pq.read_table(path)
    metadata = table.schema.metadata
    pq.write_table(change(table).replace_schema_metadata(metadata), path, **options)


def set_column(name: str, values: list, kind: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    """Return a change for `edit`: one column replaced."""
    column = pa.array(values, kind)
    return lambda table: table.set_column(table.column_names.index(name), name, column)
