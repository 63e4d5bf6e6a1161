"""distill: the multi-task student on soft and gold labels, and its baseline on gold alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtkd.errors import RecipeError
from mtkd.recipe import Candidate, EncoderLosses, TrainingSettings, with_overrides
from mtkd.stages.fit import Fit, fit_unit
from mtkd.stages.places import finetuned_place
from mtkd.stages.prepare import has_unlabelled
from mtkd.stages.selection import kept_candidates
from mtkd.stages.unit import Run, Unit

if TYPE_CHECKING:
    from mtkd.distillation import Shape

STAGE = "distill"
PAPER_WEIGHT = 0.5
INTERMEDIATE = "student_intermediate"
# dev scores say nothing of a training whose heads do not learn
_BY_LOSSES_ALONE = {"keep": "last", "early_stopping": None, "keep_best_per_task": False}


def units(run: Run) -> list[Unit]:
    """Return the student and, where asked for, the baseline and each one's fine-tuned copies.

    Baseline and student start from the same weights (but for `student.intermediate`), see the same
    batches in the same order and drop the same units: only the labels differ, and that live
    teachers are for the student alone. (Rows without gold labels, where `soft_labels.unlabelled` is
    set, only the student sees.)
    """
    recipe, student = run.recipe, run.recipe.student
    soft = run.soft_tasks
    weight = PAPER_WEIGHT if student.distill_weight is None else student.distill_weight
    found = []
    for name in ("student", *(["baseline"] if recipe.baseline else [])):
        together = shared_tasks(run)
        softened = tuple(t for t in soft if t in together) if name == "student" else ()
        losses, live = live_teachers(run) if name == "student" else (None, {})
        start = None
        if student.intermediate is not None and live:
            start = INTERMEDIATE
            training = with_overrides(recipe.training, student.training, student.intermediate)
            found.append(
                fit_unit(
                    run,
                    Fit(
                        stage=STAGE,
                        place=INTERMEDIATE,
                        encoder=student,
                        tasks=tuple(live),
                        heads=student.heads,
                        training=training.model_copy(update=_BY_LOSSES_ALONE),
                        seed_names=("student",),  # so that heads start as the baseline's
                        losses=losses,
                        live=live,
                        losses_alone=True,
                    ),
                )
            )
            losses, live = None, {}
        found.append(
            fit_unit(
                run,
                Fit(
                    stage=STAGE,
                    place=name,
                    encoder=student,
                    tasks=together,
                    heads=student.heads,
                    training=with_overrides(recipe.training, student.training),
                    seed_names=("student",),
                    soft=softened,
                    distill_weight=weight if softened else 0.0,
                    anneal=student.anneal and bool(softened),
                    temperature=recipe.soft_labels.temperature,
                    unlabelled=tuple(t for t in softened if has_unlabelled(run, t)),
                    start=start,
                    losses=losses,
                    live=live,
                ),
            )
        )
        if student.finetune:
            found += [_finetuned(run, name, task) for task in run.trained_tasks]
    return found


def live_teachers(
    run: Run, shape: Shape | None = None
) -> tuple[EncoderLosses | None, dict[str, Candidate]]:
    """Return the losses between encoders, and the first kept candidate for tasks with teachers.

    Args: shape: of the student, where its encoder is not there yet.
    Raises: RecipeError: the losses cannot be had from the student and a candidate, or no task has
        a teacher.
    """
    losses, teachers = run.recipe.student.losses, run.recipe.teachers
    if losses is None or not losses.weighted() or teachers is None:
        return None, {}
    from mtkd.stages.live import check_live  # with torch, not to list a run without such losses

    for candidate in teachers.candidates:
        check_live(losses, run.recipe.student, candidate, shape)
    first, tasks = kept_candidates(run)[0], shared_tasks(run)
    live = {task: first for task in tasks if task in teachers.tasks}
    if not live:
        raise RecipeError(f"student.losses: none of {', '.join(tasks)} has teachers, so they would "
                          "do nothing; add one to teachers.tasks, or leave the losses out"
                          )  # fmt: skip
    return losses, live


def shared_tasks(run: Run) -> tuple[str, ...]:
    """Return the tasks that the student is trained on together."""
    return run.recipe.student.tasks or run.trained_tasks


def _finetuned(run: Run, model: str, task: str) -> Unit:
    """Return the fine-tuning of a copy on one task's gold labels, as MT-DNN ends."""
    student = run.recipe.student
    training: TrainingSettings = with_overrides(
        run.recipe.training, student.training, student.finetune_training
    )
    return fit_unit(
        run,
        Fit(
            stage=STAGE,
            place=finetuned_place(model, task),
            encoder=student,
            tasks=(task,),
            heads=student.heads,
            training=training,
            seed_names=("finetune", task),
            start=model,
        ),
    )
