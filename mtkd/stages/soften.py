"""soften: write what the teachers, together, believe of each row."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mtkd.artifacts import fingerprint, read_manifest
from mtkd.errors import StoreError
from mtkd.examples import fold_numbers
from mtkd.recipe import Candidate
from mtkd.soft_labels import StoreInfo, StoreWriter, Teacher, check_store
from mtkd.stages.combination import Rows, combination_settings, fitted
from mtkd.stages.imported import imported_unit
from mtkd.stages.places import (
    fold_teacher_place,
    prepared_place,
    soft_labels_place,
    teacher_place,
)
from mtkd.stages.predictions import (
    UNLABELLED,
    PredictionReader,
    Scoring,
    logits_of,
    predictions_unit,
)
from mtkd.stages.prepare import has_unlabelled
from mtkd.stages.prepared import Prepared, open_prepared
from mtkd.stages.selection import kept_candidates
from mtkd.stages.teach import folds
from mtkd.stages.unit import Run, Unit

if TYPE_CHECKING:
    from mtkd.examples.prepared import PreparedSplit

STAGE = "soften"
KINDS = ("train", "dev")  # splits that get soft labels, beside those without gold labels
_ROWS = 65_536  # in memory at a time

log = logging.getLogger(__name__)


def units(run: Run) -> list[Unit]:
    """Return, for each of `teachers.tasks`, each teacher's predictions, then their combination.

    So another temperature, or another way to combine them, runs no teacher again. Then the stores
    of `soft_labels.imported`.
    """
    teachers = run.recipe.teachers
    found: list[Unit] = []
    for task in teachers.tasks if teachers is not None else ():
        kept = kept_candidates(run)
        predicted = [unit for candidate in kept for unit in _prediction_units(run, candidate, task)]
        found += [*predicted, _unit(run, kept, task, predicted)]
    return found + [imported_unit(run, STAGE, task) for task in run.recipe.soft_labels.imported]


def _prediction_units(run: Run, candidate: Candidate, task: str) -> list[Unit]:
    name, encoder = candidate.name, candidate.encoder
    place = teacher_place(name, task)
    found = [Scoring(name, place, encoder, task, KINDS)]
    if has_unlabelled(run, task):
        found.append(Scoring(name, place, encoder, task, (UNLABELLED,)))
    for fold in folds(run):
        place, model = fold_teacher_place(fold, name, task), _fold_model(fold.number, name)
        found.append(Scoring(model, place, encoder, task, ("train",), fold))
    return [predictions_unit(run, STAGE, each) for each in found]


def _fold_model(number: int, candidate: str) -> str:
    return f"folds/{number}/{candidate}"


def _unit(run: Run, kept: list[Candidate], task: str, predicted: list[Unit]) -> Unit:
    encoders = dict.fromkeys(candidate.encoder for candidate in kept)
    trained = dict.fromkeys(need for unit in predicted for need in unit.needs)
    return Unit(
        stage=STAGE,
        place=soft_labels_place(task),
        settings={
            **combination_settings(run, task),
            "teachers": [candidate.name for candidate in kept],  # in the order of their columns
        },
        needs=(
            *(unit.place for unit in predicted),
            *(place for place in trained if not place.startswith("prepared")),
            *(prepared_place(encoder, task) for encoder in encoders),
            *(prepared_place(e, task, "unlabelled") for e in encoders if has_unlabelled(run, task)),
        ),
        build=partial(_build, run, kept, task),
        version=2,
    )


def _build(run: Run, kept: list[Candidate], name: str, folder: Path) -> dict[str, Any]:
    task = run.tasks[name]
    first = StoreInfo(
        task=name,
        split="",
        labels=task.labels,
        temperature=run.recipe.soft_labels.temperature,
        teachers=tuple(_teacher(run, candidate, name) for candidate in kept),
        data_fingerprint="",
    )
    prepared = [open_prepared(run, candidate.encoder, name) for candidate in kept]
    dev = [_dev(run, kept, name, prepared[0], split) for split in task.dev_splits]
    unseen = [_out_of_fold(run, kept, name, prepared[0])] if folds(run) else dev
    info = fitted(run.recipe.soft_labels, task, first, dev, unseen)
    rows = {}
    splits = [(split, prepared) for split in prepared[0].splits if split.split("_")[0] in KINDS]
    if has_unlabelled(run, name):
        extra = [open_prepared(run, c.encoder, name, "unlabelled") for c in kept]
        splits += [(split, extra) for split in extra[0].splits]
    for split, sources in splits:
        info = dataclasses.replace(
            info,
            split=split,
            teachers=tuple(_teacher(run, c, name, split) for c in kept),
            data_fingerprint=_same_data(name, split, sources),
            folds=len(folds(run)) if split in task.train_splits else 0,
        )
        path = folder / f"{split}.parquet"
        readers = [_reader(run, candidate, name, split) for candidate in kept]
        with StoreWriter(path, info) as writer:
            for guids, gold in _pieces(sources[0].split(split)):
                logits = np.stack([reader.take(guids) for reader in readers], axis=1)
                writer.append(guids, gold, logits)
        check_store(path)  # reads it all again: what is on disk is what was meant
        rows[split] = len(sources[0].split(split))
        if info.folds:
            _warn_of_repeated_texts(sources[0].split(split), info)
    log.info("soft labels of %d teachers for %s: %s", len(kept), name, rows)
    return {"rows": rows, "teachers": [teacher.name for teacher in info.teachers],
            "weights": info.weights, "teacher_temperatures": info.teacher_temperatures}  # fmt: skip


def _warn_of_repeated_texts(data: PreparedSplit, info: StoreInfo) -> None:
    """Say how many rows have, under another guid, been seen by the teacher that scored them."""
    numbers = fold_numbers(data.guids, info.folds)
    seen: dict[bytes, set[int]] = {}
    keys = [hashlib.sha256(repr(texts).encode()).digest()
            for texts in data.dataset.data.column("texts").to_pylist()]  # fmt: skip
    for key, number in zip(keys, numbers, strict=True):
        seen.setdefault(key, set()).add(int(number))
    if repeated := sum(len(seen[key]) > 1 for key in keys):
        log.warning("%s/%s: %d of %d rows stand in another fold too, with another guid: their "
                    "teacher has seen their texts", info.task, info.split, repeated, len(data)
                    )  # fmt: skip


def _pieces(data: PreparedSplit) -> Iterator[tuple[pa.Array, NDArray[np.float64]]]:
    """Yield guids and gold labels in file order."""
    for start in range(0, len(data), _ROWS):
        guids = data.guid_column.slice(start, _ROWS).combine_chunks()
        yield guids, data.labels[start : start + _ROWS]


def _same_data(name: str, split: str, prepared: list[Prepared]) -> str:
    fingerprints = {p.fingerprint(split) for p in prepared}
    if len(fingerprints) > 1:
        raise StoreError(f"{name}/{split}: the teachers' encoders were given different rows; "
                         "delete prepared/ and run again")  # fmt: skip
    return fingerprints.pop()


def _dev(run: Run, kept: list[Candidate], name: str, prepared: Prepared, split: str) -> Rows:
    """Return a dev split's gold labels, and logits (rows, teachers, classes)."""
    data = prepared.split(split)
    logits = [logits_of(run, candidate.name, name, split, data) for candidate in kept]
    return data.labels, np.stack(logits, axis=1)


def _out_of_fold(run: Run, kept: list[Candidate], name: str, prepared: Prepared) -> Rows:
    """Return the train rows' gold labels, and logits of the teachers that have not seen them."""
    (split,) = run.tasks[name].train_splits
    data = prepared.split(split)
    readers = [_reader(run, candidate, name, split) for candidate in kept]
    parts = [np.stack([reader.take(guids) for reader in readers], axis=1)
             for guids, _ in _pieces(data)]  # fmt: skip
    return data.labels, np.concatenate(parts)


class _FoldReader:
    """Reads each row's logits from the predictions of the teacher that has not seen it."""

    def __init__(self, run: Run, candidate: str, task: str, split: str) -> None:
        models = [_fold_model(fold.number, candidate) for fold in folds(run)]
        self._parts = [PredictionReader(run, model, task, split) for model in models]

    def take(self, guids: pa.Array) -> NDArray[np.float32]:
        """Return the logits, (rows, outputs), of the next rows, which have to be `guids`."""
        numbers = fold_numbers(guids.to_pylist(), len(self._parts))
        there = np.unique(numbers)  # of a small split some part may have no row
        parts = [self._parts[number].take(guids.filter(pa.array(numbers == number)))
                 for number in there]  # fmt: skip
        logits = np.empty((len(guids), parts[0].shape[1]), dtype=np.float32)
        for number, part in zip(there, parts, strict=True):
            logits[numbers == number] = part
        return logits


def _reader(run: Run, candidate: Candidate, task: str, split: str) -> Any:
    if folds(run) and split in run.tasks[task].train_splits:
        return _FoldReader(run, candidate.name, task, split)
    return PredictionReader(run, candidate.name, task, split)


def _teacher(run: Run, candidate: Candidate, task: str, split: str = "") -> Teacher:
    places = [teacher_place(candidate.name, task)]
    if folds(run) and split in run.tasks[task].train_splits:
        places = [fold_teacher_place(fold, candidate.name, task) for fold in folds(run)]
    found = []
    for place in places:
        manifest = read_manifest(run.folder / place)
        assert manifest is not None  # it is among the unit's needs
        found.append(manifest.notes["weights_sha256"])
    return Teacher(candidate.name, candidate.encoder,
                   found[0] if len(found) == 1 else fingerprint(found))  # fmt: skip
