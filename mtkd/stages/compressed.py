"""`student.init`: the compress run that a student starts from, carried out before where need be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from mtkd.artifacts import read_manifest
from mtkd.errors import RecipeError, RunDirError
from mtkd.recipe import RUN_RECIPE, CompressRecipe, GlueRecipe, Recipe, load_recipe
from mtkd.stages import STAGES
from mtkd.stages.compress import STUDENT
from mtkd.stages.compress.run import teacher_config
from mtkd.stages.distill import live_teachers
from mtkd.stages.unit import Run
from mtkd.task import plan_tasks


@dataclasses.dataclass(frozen=True)
class Compressed:
    """The recipe and the run directory of the encoder that a student starts from."""

    recipe: CompressRecipe
    folder: Path

    @property
    def encoder(self) -> Path:
        """Return where the smaller encoder stands, or will."""
        return self.folder / STUDENT

    def is_made(self) -> bool:
        """Return whether it stands there."""
        return read_manifest(self.encoder) is not None


def compressed(recipe: Recipe, folder: Path) -> Compressed | None:
    """Return what `student.init` names; None without.

    A recipe's run stands beside this one's, under the recipe's name, so that other recipes find it.

    Args: folder: of the run that asks.
    Raises: RecipeError: it is no compress recipe, or there is none.
    """
    if not isinstance(recipe, GlueRecipe) or recipe.student.init is None:
        return None
    init = recipe.student.init
    try:
        found = load_recipe(init)
    except RecipeError as error:
        raise RecipeError(f"student.init: {error}{_perhaps(init, folder)}") from error
    if not isinstance(found, CompressRecipe):
        raise RecipeError(f"student.init: {init} is a recipe of kind {found.kind}; expected one of "
                          "kind compress, or its run directory")  # fmt: skip
    is_run = (Path(init) / RUN_RECIPE).is_file()
    return Compressed(found, Path(init).absolute() if is_run
                      else folder.absolute().parent / found.name)  # fmt: skip


def check_start(recipe: GlueRecipe, first: CompressRecipe, folder: Path) -> None:
    """See that a student can start from an encoder that is not made yet, by what is known of it.

    In its place stands its teacher, with as many layers: of the same words, and as long rows.

    Args: folder: of the run that asks.
    Raises: UserError: as where the encoder is there, for what would be at fault then.
    """
    from mtkd.distillation.smaller import student_shape  # with torch, not to list a run

    shape = student_shape(first.student, teacher_config(first))
    layers = recipe.student.layers or shape.layers
    if layers > shape.layers:
        raise RecipeError(f"student.layers: {layers}, but the encoder of student.init has "
                          f"{shape.layers}")  # fmt: skip
    place = {"encoder": first.teacher.encoder, "layers": layers}
    student = recipe.student.model_copy(update={**place, "init": None})
    planned, tasks = plan_tasks(recipe.model_copy(update={"student": student}))
    run = Run(planned, tasks, folder)
    live_teachers(run, dataclasses.replace(shape, layers=layers))
    without = student.model_copy(update={"losses": None, "intermediate": None})
    bare = Run(planned.model_copy(update={"student": without}), tasks, folder)
    for units in STAGES.values():
        units(bare)


def _perhaps(init: str, folder: Path) -> str:
    """Return a hint at a run directory that may be meant."""
    for near in (Path(init).parent, folder.parent / init):
        if init and (near / RUN_RECIPE).is_file():
            return f"; {near} is a run directory: is it meant?"
    return ""


def with_compressed(recipe: GlueRecipe, folder: Path) -> GlueRecipe:
    """Return a recipe with the encoder that `student.init` stands for.

    Raises: RunDirError: it is not made yet.
    """
    found = compressed(recipe, folder)
    if found is None:
        return recipe
    if not found.is_made():
        raise RunDirError(f"student.init: {found.encoder} is not made yet: "
                          f"mtkd compress {recipe.student.init} --run-dir {found.folder}"
                          )  # fmt: skip
    student = recipe.student.model_copy(update={"encoder": str(found.encoder)})
    return recipe.model_copy(update={"student": student})
