"""refine: train every candidate on all tasks at once, as MT-DNN_KD does with its six MT-DNNs."""

from __future__ import annotations

from mtkd.recipe import Candidate, with_overrides
from mtkd.stages.fit import Fit, fit_unit
from mtkd.stages.places import refined_place
from mtkd.stages.unit import Run, Unit

STAGE = "refine"


def units(run: Run) -> list[Unit]:
    """Return one multi-task training for each candidate; none with `teachers.refine: false`."""
    teachers = run.recipe.teachers
    if teachers is None or not teachers.refine:
        return []
    return [fit_unit(run, refined_fit(run, candidate)) for candidate in teachers.candidates]


def refined_fit(run: Run, candidate: Candidate) -> Fit:
    """Return the multi-task training of one candidate."""
    teachers = run.recipe.teachers
    assert teachers is not None
    return Fit(
        stage=STAGE,
        place=refined_place(candidate.name),
        encoder=candidate,
        tasks=run.trained_tasks,
        heads=teachers.heads,
        training=with_overrides(run.recipe.training, teachers.training),
        seed_names=("refine", candidate.name),
    )
