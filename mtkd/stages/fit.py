"""A model to be trained on one or more tasks: what refine, teach and distill have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mtkd.batching import steps_per_epoch
from mtkd.encoders import weights_size
from mtkd.examples import Fold
from mtkd.recipe import (
    Candidate,
    EncoderLosses,
    EncoderSettings,
    HeadSettings,
    TrainingSettings,
)
from mtkd.stages.places import prepared_place, soft_labels_place, teacher_place
from mtkd.stages.prepare import count_rows, unlabelled_splits
from mtkd.stages.unit import (
    Run,
    Unit,
    encoder_settings,
    flat,
    flat_mapping,
    losses_settings,
    training_settings,
)


@dataclasses.dataclass(frozen=True)
class Fit:
    """A model to be trained.

    place: where it goes in the run directory. start: place of a trained model to go on from, whose
    heads are kept where it has them; None starts from the pretrained encoder, or from `weights`:
    the place of another encoder with the same tokens. soft: tasks that have soft labels;
    distill_weight, anneal and temperature are theirs, as in `mtkd.training.Objective`. seed_names:
    what beside the recipe's seed sets random numbers apart. fold: the part of the train rows of
    tasks with teachers that is left out. unlabelled: of `soft`, the tasks with rows that have soft
    labels only. losses: between encoders; live: the candidate that is the live teacher for each of
    some tasks; losses_alone: whether labels do not count.
    """

    stage: str
    place: str
    encoder: EncoderSettings
    tasks: tuple[str, ...]
    heads: Mapping[str, HeadSettings]
    training: TrainingSettings
    seed_names: tuple[str, ...]
    start: str | None = None
    weights: str | None = None
    soft: tuple[str, ...] = ()
    distill_weight: float = 0.0
    anneal: bool = False
    temperature: float = 1.0
    fold: Fold | None = None
    unlabelled: tuple[str, ...] = ()
    losses: EncoderLosses | None = None
    live: Mapping[str, Candidate] = dataclasses.field(default_factory=dict)
    losses_alone: bool = False


def fit_unit(run: Run, fit: Fit) -> Unit:
    """Return the unit that trains a model and writes it in transformers' form."""
    settings: dict[str, Any] = {
        "seed": run.recipe.seed,
        "seed names": list(fit.seed_names),
        "tasks": sorted(fit.tasks),
        **(
            encoder_settings("encoder", fit.encoder)
            if fit.weights is None
            else {"encoder.dropout": fit.encoder.dropout}
        ),
        **training_settings(fit.training, fit.tasks),
    }
    for name in sorted(fit.tasks):
        task, head = run.tasks[name], fit.heads.get(name, HeadSettings())
        own = {**task.head.model_dump(), **head.model_dump(exclude_none=True)}
        settings |= flat_mapping(f"head {name}", own, set())
        settings[f"metrics {name}"] = list(task.metrics)  # they choose the epoch that is kept
    if fit.soft:
        settings["student.distill_weight"] = fit.distill_weight
        settings["student.anneal"] = fit.anneal
    if fit.fold is not None:
        settings["fold"] = str(fit.fold)
        settings["held out"] = [t for t in sorted(fit.tasks) if is_held_out(run, t, fit.fold)]
    if fit.unlabelled and run.recipe.soft_labels.unlabelled is not None:
        settings |= flat("soft_labels.unlabelled", run.recipe.soft_labels.unlabelled, {"files"})
    if fit.losses is not None:
        settings |= losses_settings("student.losses", fit.losses)
        settings["live teachers"] = {task: c.name for task, c in sorted(fit.live.items())}
        settings["losses alone"] = fit.losses_alone
    encoder = fit.encoder.encoder
    copies = 1 + len(fit.tasks) * fit.training.keep_best_per_task
    return Unit(
        stage=fit.stage,
        place=fit.place,
        settings=settings,
        needs=(
            *(prepared_place(encoder, task) for task in sorted(fit.tasks)),
            *(prepared_place(encoder, task, "unlabelled") for task in sorted(fit.unlabelled)),
            *(soft_labels_place(task) for task in sorted(fit.soft)),
            *([fit.start] if fit.start else []),
            *([fit.weights] if fit.weights else []),
            *(teacher_place(live.name, task) for task, live in sorted(fit.live.items())),
            *_rows_of_live(fit),
        ),
        build=partial(_build, run, fit),
        all_processes=True,
        steps=partial(_steps, run, fit),
        disk=weights_size(encoder) * copies,
        scratch=("checkpoint", ".checkpoint.partial", ".checkpoint.old", "kept"),
        version=2,  # dropout draws other numbers than in version 1, batches are packed otherwise
    )


def _rows_of_live(fit: Fit) -> list[str]:
    """Return where the rows stand that live teachers read, as they are tokenised for them."""
    found = []
    for task, live in sorted(fit.live.items()):
        if live.encoder != fit.encoder.encoder:
            found.append(prepared_place(live.encoder, task))
            if task in fit.unlabelled:
                found.append(prepared_place(live.encoder, task, "unlabelled"))
    return found


def is_held_out(run: Run, task: str, fold: Fold | None) -> bool:
    """Return whether a part of the task's rows is kept from a teacher."""
    teachers = run.recipe.teachers
    return fold is not None and teachers is not None and task in teachers.tasks


def _build(run: Run, fit: Fit, folder: Path) -> dict[str, Any]:
    from mtkd.stages.fitting import train_fit  # with torch, not to list a run

    return train_fit(run, fit, folder)


def _steps(run: Run, fit: Fit) -> int | None:
    """Return the number of updates; None by `max_tokens`, or before rows of the hub are fetched."""
    if fit.training.max_steps is not None:
        return fit.training.max_steps
    if fit.training.max_tokens is not None:  # it depends on the lengths, and on the order
        return None
    rows = {}
    for name in fit.tasks:
        (split,) = run.tasks[name].train_splits
        splits = [split]
        if name in fit.unlabelled:  # at most: which of them are trusted is not known yet
            splits += unlabelled_splits(run, name)
        counts = [count_rows(run, fit.encoder.encoder, run.tasks[name], s) for s in splits]
        if None in counts:
            return None
        rows[name] = sum(count or 0 for count in counts)
        if is_held_out(run, name, fit.fold):
            assert fit.fold is not None
            rows[name] -= rows[name] // fit.fold.of  # about: parts differ by a few rows
    return sum(steps_per_epoch(rows, fit.training))
