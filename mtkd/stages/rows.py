"""The rows that one task gives to a training, with the labels that each of them has."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np

from mtkd.errors import StoreError
from mtkd.examples import Fold
from mtkd.examples.prepared import PreparedSplit
from mtkd.metrics import is_constant
from mtkd.soft_labels import (
    SoftTargets,
    as_logits,
    check_label_order,
    count_confusion,
    join,
    read_store,
)
from mtkd.stages.fit import is_held_out
from mtkd.stages.places import soft_labels_place
from mtkd.stages.prepared import Prepared, open_prepared
from mtkd.stages.unit import Run
from mtkd.training import TrainingTask
from mtkd.training.unlabelled import row_weights, trusted_rows

log = logging.getLogger(__name__)


def training_task(
    run: Run,
    encoder: str,
    name: str,
    *,
    ranked: bool,
    temperature: float | None,
    unlabelled: bool,
    fold: Fold | None,
) -> TrainingTask:
    """Return a task with its train rows.

    Args: encoder: whose tokens. temperature: T of the soft labels; None for gold labels alone.
        unlabelled: whether rows without gold labels are trained on too. fold: the part that is
        left out of the rows of tasks with teachers.
    """
    task = run.tasks[name]
    (split,) = task.train_splits
    prepared = open_prepared(run, encoder, name)
    found = TrainingTask(task, prepared.split(split), ranked=ranked)
    if fold is not None and is_held_out(run, name, fold):
        kept = np.flatnonzero(~fold.holds(found.rows.guids))
        return dataclasses.replace(found, chosen=kept)
    if temperature is None:
        return found
    found = dataclasses.replace(found, soft=_soft_targets(run, prepared, name, split, temperature))
    if not unlabelled:
        return found
    extra = open_prepared(run, encoder, name, "unlabelled")
    return _with_unlabelled(run, found, prepared.path(split), extra, temperature)


def train_rows(run: Run, encoder: str, name: str, *, unlabelled: bool) -> PreparedSplit:
    """Return a task's train rows as tokenised for an encoder, then those without labels."""
    prepared = open_prepared(run, encoder, name)
    paths = [prepared.path(run.tasks[name].train_splits[0])]
    if unlabelled:
        extra = open_prepared(run, encoder, name, "unlabelled")
        paths += map(extra.path, extra.splits)
    return PreparedSplit(paths, prepared.info["pad_token_id"])


def _soft_targets(
    run: Run, prepared: Prepared, name: str, split: str, temperature: float
) -> SoftTargets:
    """Return a split's soft labels, checked against its rows and its gold labels."""
    task, rows = run.tasks[name], prepared.split(split)
    path = run.folder / soft_labels_place(name) / f"{split}.parquet"
    soft = join(read_store(path), task, rows.guids, prepared.fingerprint(split), temperature)
    if task.labels:
        confusion = count_confusion(len(task.labels), rows.labels, soft.targets)
        check_label_order(str(path), task.labels, confusion)
    if len(rows) and not soft.known.any():
        raise StoreError(f"{path}: none of the {len(rows)} rows of {name}/{split} has a soft "
                         "label; make the store anew with soft labels for some of them, or leave "
                         f"{name} out of teachers.tasks and soft_labels.imported")  # fmt: skip
    if is_constant(task, as_logits(task, soft.targets[soft.known])):
        log.warning("%s/%s: its soft labels say the same of all %d rows, so little or nothing can "
                    "be learnt from them; look at them with `mtkd inspect`, and train the teachers "
                    "with another learning rate or more epochs",
                    name, split, int(soft.known.sum()))  # fmt: skip
    return soft


def _with_unlabelled(
    run: Run, gold: TrainingTask, path: Path, extra: Prepared, temperature: float
) -> TrainingTask:
    """Add the rows that have a soft label to be trusted, and no gold one."""
    task, settings = gold.task, run.recipe.soft_labels.unlabelled
    assert settings is not None
    assert gold.soft is not None
    start = len(gold.rows)
    soft = [
        gold.soft,
        *(_soft_targets(run, extra, task.name, split, temperature) for split in extra.splits),
    ]
    targets = np.concatenate([part.targets for part in soft])
    classification = task.kind == "classification"
    trusted = trusted_rows(targets[start:], classification, settings)
    weights = row_weights(targets[start:], classification, settings)
    level = logging.INFO if len(trusted) else logging.WARNING
    log.log(level, "%s: of %d rows without gold labels %d pass soft_labels.unlabelled and are "
            "trained on", task.name, len(weights), len(trusted))  # fmt: skip
    return dataclasses.replace(
        gold,
        rows=PreparedSplit([path, *map(extra.path, extra.splits)], extra.info["pad_token_id"]),
        soft=SoftTargets(targets, np.concatenate([part.known for part in soft])),
        chosen=np.concatenate([np.arange(start), start + trusted]),
        weights=np.concatenate([np.ones(start, dtype=np.float32), weights]),
    )
