"""A compress recipe in a run directory, held against the configurations of its encoders."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtkd.encoders import encoder_folder, max_positions
from mtkd.errors import MtkdError, RecipeError
from mtkd.recipe import CompressRecipe, EncoderLosses
from mtkd.task import Task, load_task

CORPUS, TEACHER, START, STUDENT = "corpus", "teacher", "student_init", "student"


@dataclasses.dataclass(frozen=True)
class CompressRun:
    """A recipe, the tasks whose texts it reads, and the directory where it is carried out."""

    recipe: CompressRecipe
    tasks: Mapping[str, Task]
    folder: Path


def plan_compress(recipe: CompressRecipe, folder: Path) -> CompressRun:
    """Return the run of a recipe, once it is clear that its two encoders can be had and compared.

    Only configurations are read.

    Raises: RecipeError: naming all that does not fit at once. EncoderError: there is no teacher.
    """
    faults: list[str] = []
    tasks = {}
    for source in recipe.corpus.tasks:
        task = load_task(source)
        if not task.train_splits:
            faults.append(f"corpus.tasks: {task.name} has no train rows; leave it out")
        tasks[task.name] = task
    faults += [f"corpus.files: {path}: no such file" for path in recipe.corpus.files
               if not Path(path).is_file()]  # fmt: skip
    faults += _encoder_faults(recipe)
    if faults:
        raise RecipeError("\n".join([f"{recipe.name}: {len(faults)} fault(s)", *faults]))
    return CompressRun(recipe, tasks, folder)


def teacher_config(recipe: CompressRecipe) -> dict[str, Any]:
    """Return the teacher's config.json, with its depth as the recipe sets it."""
    path = encoder_folder(recipe.teacher.encoder) / "config.json"
    config = json.loads(path.read_text("utf-8"))
    if recipe.teacher.layers is not None:
        config["num_hidden_layers"] = recipe.teacher.layers
    return config


def _encoder_faults(recipe: CompressRecipe) -> list[str]:
    from mtkd.distillation.pair import check_pair  # with torch, not to list recipes

    config = teacher_config(recipe)
    found = []
    try:
        check_pair(recipe.losses, recipe.student, config)
    except MtkdError as error:
        found.append(str(error))
    positions = max_positions(recipe.teacher.encoder)
    if positions is not None and recipe.corpus.max_length > positions:
        found.append(f"corpus.max_length: {recipe.corpus.max_length}, but "
                     f"{recipe.teacher.encoder} has {positions} positions")  # fmt: skip
    return found


def reads_teacher(losses: EncoderLosses) -> bool:
    """Return whether any loss compares with a teacher."""
    return bool(set(losses.weighted()) - {"mlm"})
