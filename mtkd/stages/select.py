"""select: keep the candidates that score best on dev, and write down why."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from mtkd.metrics import task_score
from mtkd.stages.refine import refined_place
from mtkd.stages.selection import SELECTION
from mtkd.stages.teach import teacher_place, teacher_unit
from mtkd.stages.unit import Run, Unit

STAGE = "select"

log = logging.getLogger(__name__)


def units(run: Run) -> list[Unit]:
    """Return the selection, and what has to be trained for it.

    Refined candidates are compared as they are; unrefined ones after fine-tuning on the tasks of
    `select.by` only, and `teach` uses those models again. Where all are kept nothing is compared.
    """
    teachers = run.recipe.teachers
    if teachers is None:
        return []
    compared = len(teachers.candidates) > teachers.select.keep
    trained: list[Unit] = []
    if compared and not teachers.refine:
        trained = [
            teacher_unit(run, candidate, task, STAGE)
            for candidate in teachers.candidates
            for task in teachers.select.by
        ]
    needs = [unit.place for unit in trained]
    if compared and teachers.refine:
        needs = [refined_place(candidate.name) for candidate in teachers.candidates]
    selection = Unit(
        stage=STAGE,
        place=SELECTION,
        settings={
            "teachers.candidates": [candidate.name for candidate in teachers.candidates],
            "teachers.select.keep": teachers.select.keep,
            "teachers.select.by": list(teachers.select.by) if compared else [],
        },
        needs=tuple(needs),
        build=partial(_build, run, compared),
    )
    return [*trained, selection]


def _build(run: Run, compared: bool, file: Path) -> dict[str, Any]:
    teachers = run.recipe.teachers
    assert teachers is not None
    names = [candidate.name for candidate in teachers.candidates]
    select = teachers.select
    if compared:
        scores = {name: _scores(run, name) for name in names}
        means = {name: fmean(by_task.values()) for name, by_task in scores.items()}
        ranked = sorted(names, key=lambda name: -means[name])  # of equals, the recipe's first
        kept = ranked[: select.keep]
        what = "refined candidates" if teachers.refine else "fine-tuned candidates"
        why = (f"the {select.keep} {what} with the highest mean dev score on "
               f"{', '.join(select.by)}")  # fmt: skip
    else:
        scores, means, kept, ranked = {}, {}, names, names
        why = "all candidates are kept, so none was scored"
    in_order = [name for name in names if name in kept]
    content = {
        "kept": in_order,
        "why": why,
        "candidates": [
            {"name": name, "kept": name in kept, "mean": means.get(name),
             "scores": scores.get(name, {})}
            for name in ranked
        ],
    }  # fmt: skip
    file.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    log.info("kept %s: %s", ", ".join(in_order), why)
    return {"kept": in_order}


def _scores(run: Run, candidate: str) -> dict[str, float]:
    teachers = run.recipe.teachers
    assert teachers is not None
    return {task: _dev_score(run, candidate, task) for task in teachers.select.by}


def _dev_score(run: Run, candidate: str, task: str) -> float:
    teachers = run.recipe.teachers
    assert teachers is not None
    place = refined_place(candidate) if teachers.refine else teacher_place(candidate, task)
    content = json.loads((run.folder / place / "metrics.json").read_text("utf-8"))
    card = run.tasks[task]
    metrics = content["chosen"]["metrics"]
    return fmean(task_score(card, metrics[f"{task}/{split}"]) for split in card.dev_splits)
