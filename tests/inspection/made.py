"""Stores whose values are known, and rows of one as a chunk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mtkd.inspection import Chunk
from mtkd.soft_labels import StoreInfo, Teacher, write_store

LABELS = ("no", "maybe", "yes")


def info(
    labels: tuple[str, ...] = LABELS, teachers: int | tuple[Teacher, ...] = 3, **values: Any
) -> StoreInfo:
    """Return provenance; `values` are what is not the default."""
    if isinstance(teachers, int):
        teachers = tuple(Teacher(f"t{i}", f"enc{i}", f"{i}" * 64) for i in range(teachers))
    return StoreInfo(
        **{
            "task": "made",
            "split": "train",
            "labels": labels,
            "temperature": 1.0,
            "teachers": teachers,
            "data_fingerprint": "f" * 64,
            **values,
        }
    )


def values(
    rows: int, classes: int = 3, teachers: int = 3, seed: int = 0
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float32]]:
    """Return guids, gold and logits that lean towards gold, each teacher in its own way."""
    random = np.random.default_rng(seed)
    gold = random.integers(classes, size=rows).astype(np.float64)
    lean = 1.5 * (np.arange(classes) == gold[:, None])
    logits = lean[:, None] + random.normal(size=(rows, teachers, classes)) * 1.5
    return [f"made/train/{i}" for i in range(rows)], gold, logits.astype(np.float32)


def scores(
    rows: int, teachers: int = 3, seed: int = 0
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float32]]:
    """Return guids, gold and scores of a regression task."""
    random = np.random.default_rng(seed)
    gold = random.uniform(0, 5, size=rows)
    found = gold[:, None, None] + random.normal(size=(rows, teachers, 1))
    return [f"made/train/{i}" for i in range(rows)], gold, found.astype(np.float32)


def store(path: Path, rows: int = 500, **changes: Any) -> Path:
    """Write a store of `values` (or `scores`, without labels) and return its path."""
    provenance = info(**changes)
    made = values if provenance.labels else scores
    sizes = {"classes": len(provenance.labels)} if provenance.labels else {}
    write_store(path, provenance, *made(rows, teachers=len(provenance.teachers), **sizes))
    return path


def chunk(
    teachers: NDArray[np.float64],
    gold: NDArray[np.float64] | list[float],
    ensemble: NDArray[np.float64] | None = None,
) -> Chunk:
    """Return rows whose ensemble is, unless given, the teachers' mean."""
    together = teachers.mean(axis=1) if ensemble is None else ensemble
    guids = pa.array([f"made/train/{i}" for i in range(len(teachers))], pa.string())
    return Chunk(guids, np.asarray(gold, dtype=np.float64), teachers, together)


def part(whole: Chunk, rows: slice) -> Chunk:
    """Return some of a chunk's rows."""
    return Chunk(whole.guids[rows], whole.gold[rows], whole.teachers[rows], whole.ensemble[rows])


def probabilities(rows: int, teachers: int = 3, classes: int = 3, seed: int = 0) -> Chunk:
    """Return rows of random class probabilities; gold of every seventh is unknown."""
    random = np.random.default_rng(seed)
    gold = random.integers(classes, size=rows).astype(np.float64)
    gold[::7] = np.nan
    return chunk(random.dirichlet(np.ones(classes), size=(rows, teachers)), gold)
