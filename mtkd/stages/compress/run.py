"""A compress recipe in a run directory, held against the configurations of its encoders."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtkd.encoders import configure, encoder_folder, load_config, max_positions
from mtkd.encoders.mlm_head import HEAD_WEIGHT, held_layers, holds_head
from mtkd.errors import EncoderError, RecipeError
from mtkd.recipe import CompressRecipe, EncoderLosses
from mtkd.stages.corpora import corpus_tasks, encoder_config
from mtkd.task import Task

CORPUS, TEACHER, START, STUDENT = "corpus", "teacher", "student_init", "student"


@dataclasses.dataclass(frozen=True)
class CompressRun:
    """A recipe, the tasks whose texts it reads, and the directory where it is carried out."""

    recipe: CompressRecipe
    tasks: Mapping[str, Task]
    folder: Path


def plan_compress(recipe: CompressRecipe, folder: Path) -> CompressRun:
    """Return the run of a recipe, once it is clear that its two encoders can be had and compared.

    Only configurations are read, the names of weights, and whether files are there.

    Raises: RecipeError: naming all that does not fit at once. EncoderError: there is no teacher, or
        its configuration is not one. CardError: a task's card.
    """
    tasks, faults = corpus_tasks("corpus", recipe.corpus)
    faults += _encoder_faults(recipe)
    if faults:
        raise RecipeError("\n".join([f"{recipe.name}: {len(faults)} fault(s)", *faults]))
    return CompressRun(recipe, tasks, folder)


def teacher_config(recipe: CompressRecipe) -> dict[str, Any]:
    """Return the teacher's config.json, with its depth as the recipe sets it."""
    return encoder_config(recipe.teacher)


def _encoder_faults(recipe: CompressRecipe) -> list[str]:
    from mtkd.distillation.needs import shape_of  # with torch, not to list recipes
    from mtkd.distillation.pair import check_pair

    encoder, config = recipe.teacher.encoder, teacher_config(recipe)
    path = encoder_folder(encoder) / "config.json"
    found = []
    kind = config.get("model_type")
    if kind in HEAD_WEIGHT:
        depth = shape_of(config, f"teacher.encoder: {path}").layers
        if depth > (held := held_layers(encoder)):
            key = "encoder" if recipe.teacher.layers is None else "layers"
            raise EncoderError(f"teacher.{key}: {path}: {depth} layers, but the weights beside it "
                               f"are those of {held}")  # fmt: skip
        if ("soft_mlm" in recipe.losses.weighted() and recipe.warmup_mlm is None
                and not holds_head(encoder, kind)):  # fmt: skip
            found.append(f"warmup_mlm: {encoder} comes without a masked-language head, and "
                         "losses.soft_mlm compares what that says: set it to the epochs that a "
                         "new one is trained for first, or leave the loss out")  # fmt: skip
        if recipe.warmup_mlm is not None and holds_head(encoder, kind):
            found.append(f"warmup_mlm: {encoder} comes with a masked-language head, which would be "
                         "trained anew; leave it out")  # fmt: skip
    try:
        check_pair(recipe.losses, recipe.student, config)
    except RecipeError as error:
        found.append(str(error))
    configure(load_config(encoder), recipe.teacher)  # raises what it cannot be set to
    positions = max_positions(encoder)
    if positions is not None and recipe.corpus.max_length > positions:
        found.append(f"corpus.max_length: {recipe.corpus.max_length}, but "
                     f"{encoder} has {positions} positions")  # fmt: skip
    return found


def has_words(recipe: CompressRecipe) -> bool:
    """Return whether the teacher has a masked-language head that has learnt."""
    kind = teacher_config(recipe)["model_type"]
    return recipe.warmup_mlm is not None or holds_head(recipe.teacher.encoder, kind)


def reads_teacher(losses: EncoderLosses) -> bool:
    """Return whether any loss compares with a teacher."""
    return bool(set(losses.weighted()) - {"mlm", "simcse"})
