"""What a recipe says of tasks, held against their cards, before anything is read or trained."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from mtkd.errors import RecipeError, did_you_mean
from mtkd.recipe import (
    GlueRecipe,
    HeadSettings,
    TrainingOverrides,
    TrainingSettings,
    with_overrides,
)
from mtkd.recipe.names import twins
from mtkd.task.card import Task, TaskFile, head_fault
from mtkd.task.load import load_task, task_names
from mtkd.task.names import FILE_TYPES

log = logging.getLogger(__name__)


def plan_tasks(recipe: GlueRecipe) -> tuple[GlueRecipe, dict[str, Task]]:
    """Return the recipe with its task lists cut to its tasks, and the tasks by name.

    So that `tasks=[rte,mrpc]` is enough to try a recipe on two tasks, `teachers.tasks`,
    `teachers.select.by` and `student.tasks` lose what is not among `tasks`, with a log line.

    Raises: RecipeError: naming all that does not fit at once. CardError: a card is wrong.
    """
    tasks: dict[str, Task] = {}
    faults: list[str] = []
    for source in recipe.tasks:
        task = load_task(source)
        if task.name in tasks:
            faults.append(f"tasks: {task.name} stands twice")
        if _is_taken_by_torch(task.name):
            faults.append(f"tasks: {source}: {task.name} cannot be the name of a head, as torch "
                          "has it for something else; rename the task")  # fmt: skip
        if len(task.train_splits) > 1:
            faults.append(f"tasks: {task.name} has {len(task.train_splits)} train splits; put "
                          "their rows into one")  # fmt: skip
        tasks[task.name] = task
    faults.extend(f"tasks: {alike} would share a folder on macOS or Windows; rename one"
                  for alike in twins(tasks))  # fmt: skip
    for task in tasks.values():
        if task.head_of is not None and task.head_of not in tasks:
            faults.append(f"tasks: {task.name} is predicted by the head of {task.head_of}: "
                          f"add {task.head_of}, or leave {task.name} out")  # fmt: skip
        elif task.head_of is not None and task.labels != tasks[task.head_of].labels:
            faults.append(f"tasks: {task.name} is predicted by the head of {task.head_of}, whose "
                          f"labels are {', '.join(tasks[task.head_of].labels)} in that order, not "
                          f"{', '.join(task.labels)}")  # fmt: skip
    trained = [name for name, task in tasks.items() if task.head_of is None]
    if not trained and not faults:
        faults.append("tasks: none of them has rows to train on")
    recipe = _cut_to_tasks(recipe, trained, faults)
    faults += _soft_label_faults(recipe)
    _add_unlabelled(recipe, tasks, faults)
    faults += _head_faults(recipe, tasks)
    faults += _name_faults(recipe, trained)
    if faults:
        raise RecipeError("\n".join([f"{recipe.name}: {len(faults)} fault(s)", *faults]))
    return recipe, tasks


def _is_taken_by_torch(name: str) -> bool:
    """Return whether no head can have a name, which none of the built-in tasks has."""
    if name in task_names():
        return False
    from torch import nn  # a second to import, so only for tasks of one's own

    return hasattr(nn.ModuleDict, name)


def _cut_to_tasks(recipe: GlueRecipe, trained: list[str], faults: list[str]) -> GlueRecipe:
    def cut(key: str, names: Iterable[str], may_be_empty: bool) -> tuple[str, ...]:
        names = tuple(names)
        known = {*trained, *task_names()}
        for name in names:
            if name not in known:
                faults.append(f"{key}: unknown task '{name}'{did_you_mean(name, sorted(known))}")
        faults.extend(f"{key}: {name} stands twice" for name in _twice(names))
        kept = tuple(name for name in names if name in trained)
        if gone := [name for name in names if name in known and name not in trained]:
            log.info("%s: without %s, not among tasks", key, ", ".join(gone))
        if names and not kept and not may_be_empty:
            faults.append(f"{key}: none of {', '.join(names)} is among tasks "
                          f"({', '.join(trained)})")  # fmt: skip
        return kept

    changes: dict[str, object] = {}
    if recipe.teachers is not None:
        teachers = recipe.teachers
        keeps_all = teachers.select.keep == len(teachers.candidates)
        by = cut("teachers.select.by", teachers.select.by, keeps_all)
        tasks = cut("teachers.tasks", teachers.tasks, False)
        select = teachers.select.model_copy(update={"by": by})
        changes["teachers"] = teachers.model_copy(update={"select": select, "tasks": tasks})
    soft = recipe.soft_labels
    imported = cut("soft_labels.imported", soft.imported, True)
    changes["soft_labels"] = soft.model_copy(
        update={"imported": {name: soft.imported[name] for name in imported}}
    )
    if recipe.student.tasks is not None:
        together = cut("student.tasks", recipe.student.tasks, False)
        changes["student"] = recipe.student.model_copy(update={"tasks": together})
    return recipe.model_copy(update=changes)


def _soft_label_faults(recipe: GlueRecipe) -> list[str]:
    taught = recipe.teachers.tasks if recipe.teachers is not None else ()
    return [
        f"soft_labels.imported.{name}: {name} is among teachers.tasks too; leave it out of one"
        for name in recipe.soft_labels.imported
        if name in taught
    ]


def _add_unlabelled(recipe: GlueRecipe, tasks: dict[str, Task], faults: list[str]) -> None:
    """Give the cards the files of `soft_labels.unlabelled.files`, in place of what they name."""
    unlabelled = recipe.soft_labels.unlabelled
    soft = (*(recipe.teachers.tasks if recipe.teachers else ()), *recipe.soft_labels.imported)
    for name, path in (unlabelled.files if unlabelled else {}).items():
        key = f"soft_labels.unlabelled.files.{name}"
        if name not in tasks or name not in soft:
            faults.append(f"{key}: the task gets no soft labels{did_you_mean(name, soft)}; those "
                          f"that do: {', '.join(soft) or 'none'}")  # fmt: skip
        elif not Path(path).is_file():
            faults.append(f"{key}: {path}: no such file")
        elif Path(path).suffix not in FILE_TYPES:
            faults.append(f"{key}: expected a file ending in {', '.join(FILE_TYPES)}, found {path}")
        else:
            task = tasks[name]
            file = TaskFile.model_construct(path=str(Path(path).absolute()), labelled=False)
            tasks[name] = task.model_copy(update={"files": {**task.files, "unlabelled": file}})


def _twice(names: tuple[str, ...]) -> list[str]:
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def _head_faults(recipe: GlueRecipe, tasks: Mapping[str, Task]) -> list[str]:
    places: dict[str, Mapping[str, HeadSettings]] = {"student.heads": recipe.student.heads}
    if recipe.teachers is not None:
        places["teachers.heads"] = recipe.teachers.heads
    faults = []
    for place, heads in places.items():
        for name, head in heads.items():
            if name not in tasks:
                if name not in task_names():
                    hint = did_you_mean(name, tasks)
                    faults.append(f"{place}.{name}: no such task{hint}")
                continue
            task = tasks[name]
            if fault := head_fault(head, task.texts, task.labels, task.positive):
                faults.append(f"{place}.{name}: {fault}")
    return faults


def _name_faults(recipe: GlueRecipe, trained: list[str]) -> list[str]:
    student = recipe.student
    parts: dict[str, TrainingSettings | TrainingOverrides] = {
        "training": recipe.training,
        "student.training": student.training,
        "student.finetune_training": student.finetune_training,
    }
    if recipe.teachers is not None:
        parts["teachers.training"] = recipe.teachers.training
        parts["teachers.finetune_training"] = recipe.teachers.finetune_training
    faults = []
    for key, settings in parts.items():
        for name in settings.task_weights or {}:
            if name not in trained and name not in task_names():
                hint = did_you_mean(name, trained)
                faults.append(f"{key}.task_weights.{name}: no such task{hint}")
        main = settings.sampling.main if settings.sampling else None
        if main is not None and main not in trained:
            faults.append(f"{key}.sampling.main: {main} is not among tasks")
    main = with_overrides(recipe.training, student.training).sampling.main
    if main in trained and student.tasks is not None and main not in student.tasks:
        faults.append(f"student.tasks: without {main}, the sampling.main of its training")
    if recipe.submission.model is not None:
        wants = recipe.submission.model
        if wants.startswith("baseline") and not recipe.baseline:
            faults.append(f"submission.model: {wants}, but baseline is false")
        if wants.endswith("finetuned") and not student.finetune:
            faults.append(f"submission.model: {wants}, but student.finetune is false")
    return faults
