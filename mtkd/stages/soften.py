"""soften: write what the teachers, averaged, believe of each row."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mtkd.artifacts import read_manifest
from mtkd.errors import StoreError
from mtkd.recipe import Candidate
from mtkd.soft_labels import StoreInfo, Teacher, write_store
from mtkd.stages.fit import soft_labels_place
from mtkd.stages.predictions import predictions_place, predictions_unit, read_predictions
from mtkd.stages.prepare import open_prepared, prepared_place
from mtkd.stages.selection import kept_candidates
from mtkd.stages.teach import teacher_place
from mtkd.stages.unit import Run, Unit

STAGE = "soften"
KINDS = ("train", "dev", "unlabelled")  # splits that get soft labels

log = logging.getLogger(__name__)


def units(run: Run) -> list[Unit]:
    """Return, for each of `teachers.tasks`, each teacher's predictions, then their average.

    So another temperature runs no teacher again.
    """
    teachers = run.recipe.teachers
    if teachers is None:
        return []
    found = []
    for task in teachers.tasks:
        kept = kept_candidates(run)
        found += [
            predictions_unit(
                run, STAGE, c.name, teacher_place(c.name, task), c.encoder, task, KINDS
            )
            for c in kept
        ]
        found.append(_unit(run, kept, task))
    return found


def _unit(run: Run, kept: list[Candidate], task: str) -> Unit:
    encoders = dict.fromkeys(candidate.encoder for candidate in kept)
    return Unit(
        stage=STAGE,
        place=soft_labels_place(task),
        settings={"soft_labels.temperature": run.recipe.soft_labels.temperature},
        needs=(
            *(predictions_place(candidate.name, task) for candidate in kept),
            *(teacher_place(candidate.name, task) for candidate in kept),
            *(prepared_place(encoder, task) for encoder in encoders),
        ),
        build=partial(_build, run, kept, task),
    )


def _build(run: Run, kept: list[Candidate], name: str, folder: Path) -> dict[str, Any]:
    task = run.tasks[name]
    teachers = tuple(_teacher(run, candidate, name) for candidate in kept)
    prepared = [open_prepared(run, candidate.encoder, name) for candidate in kept]
    rows = {}
    for split in prepared[0].splits:
        if split.split("_")[0] not in KINDS:
            continue
        fingerprints = {p.fingerprint(split) for p in prepared}
        if len(fingerprints) > 1:
            raise StoreError(f"{name}/{split}: the teachers' encoders were given different rows; "
                             "delete prepared/ and run again")  # fmt: skip
        data = prepared[0].split(split)
        logits = []
        for candidate in kept:
            guids, found = read_predictions(run, candidate.name, name, split)
            if guids != data.guids:
                raise StoreError(f"{name}/{split}: the predictions of {candidate.name} are for "
                                 "other rows; delete predictions/ and run again")  # fmt: skip
            logits.append(found)
        info = StoreInfo(
            task=name,
            split=split,
            labels=task.labels,
            temperature=run.recipe.soft_labels.temperature,
            teachers=teachers,
            data_fingerprint=fingerprints.pop(),
        )
        write_store(folder / f"{split}.parquet", task, info, data.guids, data.labels,
                    np.stack(logits, axis=1))  # fmt: skip
        rows[split] = len(data)
    log.info("soft labels of %d teachers for %s: %s", len(kept), name, rows)
    return {"rows": rows, "teachers": [teacher.name for teacher in teachers]}


def _teacher(run: Run, candidate: Candidate, task: str) -> Teacher:
    manifest = read_manifest(run.folder / teacher_place(candidate.name, task))
    assert manifest is not None  # it is among the unit's needs
    return Teacher(candidate.name, candidate.encoder, manifest.notes["weights_sha256"])
