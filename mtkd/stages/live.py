"""Live teachers of a multi-task student: checked against it by configurations, then loaded."""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import TYPE_CHECKING, Any

from mtkd.distillation import Shape, said_of, shape_of
from mtkd.distillation.pair import Pair, make_pair
from mtkd.encoders import encoder_folder, load_config, load_tokenizer
from mtkd.errors import RecipeError
from mtkd.layers import shows_attention
from mtkd.model import MultiTaskModel
from mtkd.recipe import EncoderLosses, EncoderSettings
from mtkd.stages.fit import Fit
from mtkd.stages.places import teacher_place
from mtkd.stages.rows import train_rows
from mtkd.stages.unit import Run
from mtkd.training import TrainingTask
from mtkd.training.live import LiveObjective, LiveTeacher, StudentOfEncoders
from mtkd.training.objective import Objective

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


def check_live(
    losses: EncoderLosses,
    student: EncoderSettings,
    teacher: EncoderSettings,
    shape: Shape | None = None,
) -> Pair:
    """See that losses between encoders can be had from a student and a teacher.

    Args: shape: of the student, where that of its encoder is another's.
    Raises: RecipeError: naming the key at fault.
    """
    own, other = shape or _shape(student), _shape(teacher)
    if own.vocabulary != other.vocabulary:
        raise RecipeError(
            f"student.losses: {student.encoder} has {own.vocabulary} words, {teacher.encoder} "
            f"{other.vocabulary}: their states are of other tokens; take encoders of one "
            "vocabulary, or leave the losses out"
        )
    if load_tokenizer(student.encoder).get_vocab() != load_tokenizer(teacher.encoder).get_vocab():
        raise RecipeError(f"student.losses: {student.encoder} and {teacher.encoder} have other "
                          "words under the same numbers, so their states are of other tokens; take "
                          "encoders of one vocabulary, or leave the losses out")  # fmt: skip
    try:
        pair = make_pair(losses, own, other)
    except RecipeError as error:
        lines = [f"student.{line}" for line in str(error).splitlines()]
        raise RecipeError("\n".join(lines)) from error
    if pair.student.attention or pair.teacher.attention:
        for one in (student, teacher):
            if not shows_attention(kind := load_config(one.encoder)):
                names = [t.name for t in pair.terms if t.student.attention]
                raise RecipeError(f"student.losses: {', '.join(names)}: {one.encoder} is a "
                                  f"{kind.model_type}, which does not show its queries and keys; "
                                  "leave out losses on attention")  # fmt: skip
    return pair


def with_live_teachers(
    run: Run,
    fit: Fit,
    model: MultiTaskModel,
    tasks: list[TrainingTask],
    labels: Objective,
    device: torch.device,
) -> tuple[StudentOfEncoders, LiveObjective]:
    """Return the student with what is learnt beside it, and what it learns.

    Raises: RecipeError: a teacher reads other tokens than the student.
    """
    assert fit.losses is not None
    (candidate,) = {live.name: live for live in fit.live.values()}.values()
    pair = check_live(fit.losses, fit.encoder, candidate)
    teachers = {}
    for task in tasks:
        if task.name not in fit.live:
            continue
        unlabelled = task.name in fit.unlabelled
        rows = train_rows(run, candidate.encoder, task.name, unlabelled=unlabelled)
        if not rows.same_tokens(task.rows):
            raise RecipeError(f"student.losses: {candidate.encoder} and {fit.encoder.encoder} cut "
                              f"the rows of {task.name} to other tokens, so their states cannot be "
                              "compared; leave the losses out")  # fmt: skip
        own = MultiTaskModel.load(run.folder / teacher_place(candidate.name, task.name)).encoder
        own = own.requires_grad_(False).eval().to(device)
        teachers[task.name] = LiveTeacher(own, rows, pair.teacher, pair.state_terms)
        weights = own.num_parameters() / 1e6
    log.info("%s: %s have a live teacher of %.1fM weights each, which is run forward on every "
             "batch of theirs, for %s", fit.place, ", ".join(teachers), weights,
             ", ".join(map(said_of, pair.terms)))  # fmt: skip
    if run.recipe.soft_labels.folds is not None:
        log.warning("%s: soft labels are out of fold, and live teachers have seen these rows: "
                    "soft_labels.folds does not hold for student.losses", fit.place)  # fmt: skip
    student = StudentOfEncoders(model, teachers, pair.student, pair.projected,
                                alone=fit.losses_alone)  # fmt: skip
    return student, LiveObjective(None if fit.losses_alone else labels, teachers)


def _shape(settings: EncoderSettings) -> Shape:
    path = encoder_folder(settings.encoder) / "config.json"
    config: dict[str, Any] = json.loads(path.read_text("utf-8"))
    shape = shape_of(config)
    return shape if settings.layers is None else dataclasses.replace(shape, layers=settings.layers)
