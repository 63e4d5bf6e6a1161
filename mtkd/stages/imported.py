"""soft_labels.imported: stores made elsewhere take the place of a task's teachers."""

from __future__ import annotations

import dataclasses
import logging
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mtkd.artifacts import file_sha256
from mtkd.errors import StoreError
from mtkd.soft_labels import (
    StoreInfo,
    StoreWriter,
    check_store,
    join,
    read_batches,
    read_info,
    read_store,
)
from mtkd.stages.combination import combination_settings, fitted
from mtkd.stages.places import prepared_place, soft_labels_place
from mtkd.stages.prepare import has_unlabelled, unlabelled_splits
from mtkd.stages.prepared import Prepared, open_prepared
from mtkd.stages.unit import Run, Unit

log = logging.getLogger(__name__)


def imported_unit(run: Run, stage: str, task: str) -> Unit:
    """Return a task's soft labels, read from the stores that the recipe names.

    They are held against the run's rows, and combined anew from their logits with the recipe's
    temperature.
    """
    encoder = run.recipe.student.encoder
    files = _stores(run, task)
    return Unit(
        stage=stage,
        place=soft_labels_place(task),
        settings={
            **combination_settings(run, task),
            **{f"imported {split}": file_sha256(path) for split, path in files.items()},
        },
        needs=(
            prepared_place(encoder, task),
            *([prepared_place(encoder, task, "unlabelled")] if has_unlabelled(run, task) else []),
        ),
        build=partial(_build, run, task, files),
        version=2,
    )


def _stores(run: Run, task: str) -> dict[str, Path]:
    """Return the stores by split.

    Raises: StoreError: there are none, two of one split, none of train, or of another task.
    """
    given = Path(run.recipe.soft_labels.imported[task])
    key = f"soft_labels.imported.{task}: {given}"
    found: dict[str, Path] = {}
    first: StoreInfo | None = None
    for path in sorted(given.glob("*.parquet")) if given.is_dir() else [given]:
        info = read_info(path)
        if info.task != task:
            raise StoreError(f"{key}: {path.name} is of {info.task}")
        if info.split in found:
            raise StoreError(f"{key}: {found[info.split].name} and {path.name} are both of "
                             f"{info.split}; leave one out")  # fmt: skip
        found[info.split] = path
        _check_teachers(key, info, first := first or info)
    wanted = [*run.tasks[task].train_splits, *unlabelled_splits(run, task)]
    if lacking := [split for split in wanted if split not in found]:
        raise StoreError(f"{key}: no soft labels for {', '.join(lacking)}; it has those of "
                         f"{', '.join(found) or 'nothing'}")  # fmt: skip
    return found


def _check_teachers(key: str, info: StoreInfo, first: StoreInfo) -> None:
    """Refuse stores of other teachers, or in another order: what is fitted on dev is one a teacher.

    Weights may differ, as those of teachers that were kept from a part of the rows do.
    """
    names = [[(t.name, t.encoder) for t in one.teachers] for one in (first, info)]
    if names[0] != names[1]:
        said = [", ".join(name for name, _ in pairs) for pairs in names]
        raise StoreError(f"{key}: the teachers of {first.split} are {said[0]}, those of "
                         f"{info.split} {said[1]}; give stores of the same teachers in one order"
                         )  # fmt: skip


def _build(run: Run, name: str, files: dict[str, Path], folder: Path) -> dict[str, Any]:
    task, settings = run.tasks[name], run.recipe.soft_labels
    encoder = run.recipe.student.encoder
    dev = [_logits(files[split]) for split in task.dev_splits if split in files]
    prepared = open_prepared(run, encoder, name)
    rows = {}
    for split, source in files.items():
        data = prepared
        if split in task.unlabelled_splits and has_unlabelled(run, name):
            data = open_prepared(run, encoder, name, "unlabelled")
        info = read_info(source)
        _check_rows(run, source, data, info)
        bare = dataclasses.replace(info, temperature=settings.temperature, weights=None,
                                   teacher_temperatures=None, rows=0, row_groups=())  # fmt: skip
        path = folder / f"{split}.parquet"
        with StoreWriter(path, fitted(settings, task, bare, dev, dev)) as writer:
            for batch in read_batches(source):
                writer.append(batch.guids, batch.gold, batch.logits)
        check_store(path)
        rows[split] = info.rows
    log.info("imported soft labels for %s: %s", name, rows)
    return {"rows": rows}


def _check_rows(run: Run, path: Path, data: Prepared, info: StoreInfo) -> None:
    """Refuse a store of other rows than the run's."""
    if info.split not in data.splits:
        raise StoreError(f"{path}: soft labels for {info.split}, which the run has no rows of; it "
                         f"has {', '.join(data.splits)}")  # fmt: skip
    task, fingerprint = run.tasks[info.task], data.fingerprint(info.split)
    join(read_store(path), task, data.split(info.split).guids, fingerprint, info.temperature)


def _logits(path: Path) -> tuple[np.ndarray, np.ndarray]:
    batches = list(read_batches(path))
    known = np.concatenate([batch.known for batch in batches])
    gold = np.concatenate([batch.gold for batch in batches])
    return gold[known], np.concatenate([batch.logits for batch in batches])[known]
