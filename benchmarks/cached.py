"""Steps of mtkd's student on cached soft labels, which are really written, read and joined."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.machine import clock
from benchmarks.ours import BATCH, train_epoch
from benchmarks.rows import ENCODER, TaskRows
from benchmarks.steps import watch_steps
from mtkd.soft_labels import (
    StoreInfo,
    Teacher,
    check_label_order,
    count_confusion,
    join,
    read_store,
    write_store,
)

if TYPE_CHECKING:
    from mtkd.soft_labels import SoftTargets


@dataclasses.dataclass(frozen=True)
class Joined:
    """Soft labels of one task, and what it took to write them, and to read and join them."""

    soft: SoftTargets
    write_seconds: float
    join_seconds: float


def soft_labels(rows: TaskRows, teachers: int) -> Joined:
    """Write the store of so many teachers that do not exist, then read it as a student does."""
    task, split = rows.task, rows.split
    random = np.random.default_rng(teachers)
    logits = random.standard_normal((len(split), teachers, task.num_outputs), dtype=np.float32)
    names = tuple(Teacher(f"teacher{i}", ENCODER, f"{i:064d}") for i in range(teachers))
    info = StoreInfo(task.name, "train", task.labels, 1.0, names, rows.fingerprint)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.parquet"
        started = clock()
        write_store(path, info, split.guids, split.labels, logits)
        written = clock()
        soft = join(read_store(path), task, split.guids, rows.fingerprint, 1.0)
        if task.labels:
            confusion = count_confusion(len(task.labels), split.labels, soft.targets)
            check_label_order(str(path), task.labels, confusion)
        return Joined(soft, written - started, clock() - written)


def cached_steps(rows: TaskRows, soft: SoftTargets | None, seed: int = 1) -> list[float]:
    """Return the seconds of each step of one epoch but for the first.

    Args: soft: None for gold labels alone.
    """
    name = rows.task.name
    with watch_steps() as steps:
        train_epoch({name: rows}, soft=None if soft is None else {name: soft}, seed=seed)
    return steps.seconds(math.ceil(len(rows.chosen) / BATCH))
