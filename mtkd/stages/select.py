"""select: keep the candidates that do best on dev, and write down why."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtkd.metrics import score, task_score
from mtkd.recipe import Teachers
from mtkd.soft_labels import StoreInfo, Teacher, as_logits, combine
from mtkd.stages.places import refined_place, teacher_place
from mtkd.stages.predictions import Scoring, logits_of, predictions_unit
from mtkd.stages.prepared import open_prepared
from mtkd.stages.selection import SELECTION
from mtkd.stages.teach import teacher_unit
from mtkd.stages.unit import Run, Unit

STAGE = "select"

log = logging.getLogger(__name__)


def units(run: Run) -> list[Unit]:
    """Return the selection, and what has to be trained and predicted for it.

    Refined candidates are compared as they are; unrefined ones after fine-tuning on the tasks of
    `select.by` only, and `teach` uses those models again. Where all are kept nothing is compared.
    """
    teachers = run.recipe.teachers
    if teachers is None:
        return []
    compared = len(teachers.candidates) > teachers.select.keep
    before: list[Unit] = []
    needs: list[str] = []
    for candidate in teachers.candidates if compared else ():
        name = candidate.name
        if teachers.refine:
            needs.append(refined_place(name))
        else:
            before += [teacher_unit(run, candidate, t, STAGE) for t in teachers.select.by]
        if teachers.select.method == "greedy":
            before += [
                predictions_unit(run, STAGE, Scoring(_model(name), _place(teachers, name, t),
                                                     candidate.encoder, t, ("dev",)))
                for t in teachers.select.by
            ]  # fmt: skip
    settings = {
        "teachers.candidates": [candidate.name for candidate in teachers.candidates],
        "teachers.select.keep": teachers.select.keep,
        "teachers.select.by": list(teachers.select.by) if compared else [],
    }
    if compared and teachers.select.method != "best":
        settings["teachers.select.method"] = teachers.select.method
    selection = Unit(
        stage=STAGE,
        place=SELECTION,
        settings=settings,
        needs=(*needs, *(unit.place for unit in before)),
        build=partial(_build, run, teachers, compared),
    )
    return [*before, selection]


def _model(candidate: str) -> str:
    return f"select/{candidate}"


def _place(teachers: Teachers, candidate: str, task: str) -> str:
    return refined_place(candidate) if teachers.refine else teacher_place(candidate, task)


def _build(run: Run, teachers: Teachers, compared: bool, file: Path) -> dict[str, Any]:
    names = [candidate.name for candidate in teachers.candidates]
    select = teachers.select
    scores: dict[str, dict[str, float]] = {}
    means: dict[str, float] = {}
    steps: list[dict[str, Any]] = []
    ranked, kept, why = names, names, "all candidates are kept, so none was scored"
    if compared:
        scores = {n: {t: _dev_score(run, teachers, n, t) for t in select.by} for n in names}
        means = {name: fmean(by_task.values()) for name, by_task in scores.items()}
        ranked = sorted(names, key=lambda name: -means[name])  # of equals, the recipe's first
        what = "refined candidates" if teachers.refine else "fine-tuned candidates"
        if select.method == "greedy":
            steps = _greedy(run, teachers, ranked)
            kept = [step["added"] for step in steps]
            why = (f"the {select.keep} {what} that, one added after another, gave the ensemble the "
                   f"highest mean dev score on {', '.join(select.by)}")  # fmt: skip
        else:
            kept = ranked[: select.keep]
            why = (f"the {select.keep} {what} with the highest mean dev score on "
                   f"{', '.join(select.by)}")  # fmt: skip
    in_order = [name for name in names if name in kept]
    content = {
        "kept": in_order,
        "why": why,
        "candidates": [
            {"name": name, "kept": name in kept, "mean": means.get(name),
             "scores": scores.get(name, {})}
            for name in ranked
        ],
        **({"steps": steps} if steps else {}),
    }  # fmt: skip
    file.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    log.info("kept %s: %s", ", ".join(in_order), why)
    return {"kept": in_order}


def _dev_score(run: Run, teachers: Teachers, candidate: str, task: str) -> float:
    place = _place(teachers, candidate, task)
    content = json.loads((run.folder / place / "metrics.json").read_text("utf-8"))
    card = run.tasks[task]
    metrics = content["chosen"]["metrics"]
    return fmean(task_score(card, metrics[f"{task}/{split}"]) for split in card.dev_splits)


def _greedy(run: Run, teachers: Teachers, ranked: list[str]) -> list[dict[str, Any]]:
    """Return who was added, and the ensemble's mean dev score with each, in order.

    Forward selection of Caruana et al. 2004 without replacement, since each teacher is asked once;
    the first is the best alone. Of equals, the one that is better alone.
    """
    logits = {
        task: {name: _dev_logits(run, name, task) for name in ranked} for task in teachers.select.by
    }
    chosen: list[str] = []
    steps = []
    while len(chosen) < teachers.select.keep:
        found = {
            name: fmean(
                _ensemble_score(run, task, [logits[task][n] for n in [*chosen, name]])
                for task in teachers.select.by
            )
            for name in ranked
            if name not in chosen
        }
        best = max(found, key=lambda name: found[name])
        chosen.append(best)
        steps.append({"added": best, "mean": found[best]})
    return steps


def _dev_logits(run: Run, candidate: str, task: str) -> dict[str, NDArray[np.float32]]:
    encoder = next(c.encoder for c in _teachers(run).candidates if c.name == candidate)
    prepared = open_prepared(run, encoder, task)
    return {
        split: logits_of(run, _model(candidate), task, split, prepared.split(split))
        for split in run.tasks[task].dev_splits
    }


def _teachers(run: Run) -> Teachers:
    assert run.recipe.teachers is not None
    return run.recipe.teachers


def _ensemble_score(run: Run, name: str, members: list[dict[str, NDArray[np.float32]]]) -> float:
    """Return the dev score of the mean of the members' probabilities."""
    task = run.tasks[name]
    teachers = tuple(Teacher(str(k), "", "") for k in range(len(members)))
    info = StoreInfo(name, "dev", task.labels, 1.0, teachers, "")
    prepared = open_prepared(run, _teachers(run).candidates[0].encoder, name)
    scores = []
    for split in task.dev_splits:
        together = combine(info, np.stack([member[split] for member in members], axis=1))
        gold = prepared.split(split).labels
        scores.append(task_score(task, score(task, as_logits(task, together), gold, split)))
    return fmean(scores)
