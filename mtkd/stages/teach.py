"""teach: fine-tune each kept candidate on each task that gets soft labels.

With `soft_labels.folds: N` there are N more of each, each trained without one part of the train
rows, to score that part: teachers are too sure of rows that they were trained on.
"""

from __future__ import annotations

import dataclasses

from mtkd.examples import Fold
from mtkd.recipe import Candidate, with_overrides
from mtkd.stages.fit import Fit, fit_unit
from mtkd.stages.places import fold_teacher_place, refined_place, teacher_place
from mtkd.stages.refine import refined_fit
from mtkd.stages.selection import kept_candidates
from mtkd.stages.unit import Run, Unit

STAGE = "teach"


def folds(run: Run) -> list[Fold]:
    """Return the parts that train rows are scored in; none without `soft_labels.folds`."""
    count = run.recipe.soft_labels.folds or 0
    return [Fold(number, count) for number in range(count)]


def units(run: Run) -> list[Unit]:
    """Return one unit for each kept candidate and each of `teachers.tasks`, then those of folds."""
    teachers = run.recipe.teachers
    if teachers is None:
        return []
    kept = kept_candidates(run)
    found = [teacher_unit(run, candidate, task) for candidate in kept for task in teachers.tasks]
    for fold in folds(run):
        for candidate in kept:
            found += _fold_units(run, fold, candidate, teachers.tasks)
    return found


def cost_of_folds(run: Run) -> str | None:
    """Return in words what `soft_labels.folds` adds to the trainings of `teach`; None without."""
    teachers, count = run.recipe.teachers, len(folds(run))
    if teachers is None or count == 0:
        return None
    kept, tasks = teachers.select.keep, len(teachers.tasks)
    refined = f" and {count * kept} refinements" if teachers.refine else ""
    return (f"soft_labels.folds={count}: {count * kept * tasks} more trainings ({count} folds x "
            f"{kept} teachers x {tasks} tasks){refined}, about {count - 1} times the cost of those "
            "teachers themselves; --dry-run forecasts the time once one of them has been timed"
            )  # fmt: skip


def teacher_unit(run: Run, candidate: Candidate, task: str, stage: str = STAGE) -> Unit:
    """Return the fine-tuning of one candidate on one task."""
    return fit_unit(run, dataclasses.replace(_fit(run, candidate, task), stage=stage))


def _fit(run: Run, candidate: Candidate, task: str) -> Fit:
    teachers = run.recipe.teachers
    assert teachers is not None
    return Fit(
        stage=STAGE,
        place=teacher_place(candidate.name, task),
        encoder=candidate,
        tasks=(task,),
        heads=teachers.heads,
        training=with_overrides(run.recipe.training, teachers.training, teachers.finetune_training),
        seed_names=("teach", candidate.name, task),
        start=refined_place(candidate.name) if teachers.refine else None,
    )


def _fold_units(run: Run, fold: Fold, candidate: Candidate, tasks: tuple[str, ...]) -> list[Unit]:
    """Return a candidate's teachers that have not seen a part; refined without it where refined."""
    refined = f"folds/{fold.number}/refined/{candidate.name}"
    fits = []
    start = None
    if run.recipe.teachers is not None and run.recipe.teachers.refine:
        fits.append(dataclasses.replace(refined_fit(run, candidate), stage=STAGE, place=refined))
        start = refined
    for task in tasks:
        place = fold_teacher_place(fold, candidate.name, task)
        fits.append(dataclasses.replace(_fit(run, candidate, task), place=place, start=start))
    return [
        fit_unit(run, dataclasses.replace(
            fit, fold=fold, seed_names=("fold", str(fold), *fit.seed_names)
        ))
        for fit in fits
    ]  # fmt: skip
