"""teach: fine-tune each kept candidate on each task that gets soft labels."""

from __future__ import annotations

from mtkd.recipe import Candidate, with_overrides
from mtkd.stages.fit import Fit, fit_unit
from mtkd.stages.refine import refined_place
from mtkd.stages.selection import kept_candidates
from mtkd.stages.unit import Run, Unit

STAGE = "teach"


def teacher_place(candidate: str, task: str) -> str:
    """Return where a teacher stands."""
    return f"teachers/{candidate}/{task}"


def teacher_unit(run: Run, candidate: Candidate, task: str, stage: str = STAGE) -> Unit:
    """Return the fine-tuning of one candidate on one task."""
    teachers = run.recipe.teachers
    assert teachers is not None
    return fit_unit(
        run,
        Fit(
            stage=stage,
            place=teacher_place(candidate.name, task),
            encoder=candidate,
            tasks=(task,),
            heads=teachers.heads,
            training=with_overrides(
                run.recipe.training, teachers.training, teachers.finetune_training
            ),
            seed_names=("teach", candidate.name, task),
            start=refined_place(candidate.name) if teachers.refine else None,
        ),
    )


def units(run: Run) -> list[Unit]:
    """Return one unit for each kept candidate and each of `teachers.tasks`."""
    teachers = run.recipe.teachers
    if teachers is None:
        return []
    return [
        teacher_unit(run, candidate, task)
        for candidate in kept_candidates(run)
        for task in teachers.tasks
    ]
