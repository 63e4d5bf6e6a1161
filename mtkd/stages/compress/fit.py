"""An encoder to be trained on the corpus: the student, or a teacher with a new head."""

from __future__ import annotations

import dataclasses
import json
import math
from functools import partial
from pathlib import Path
from typing import Any

from mtkd.encoders import weights_size
from mtkd.recipe import EncoderLosses, TrainingSettings
from mtkd.recipe.encoder_losses import OF_EMBEDDINGS
from mtkd.stages.compress.run import CORPUS, TEACHER, CompressRun, reads_teacher
from mtkd.stages.corpora import INFO
from mtkd.stages.unit import (
    Unit,
    encoder_settings,
    flat,
    losses_settings,
    training_settings,
)


@dataclasses.dataclass(frozen=True)
class CorpusFit:
    """An encoder to be trained.

    place: where it goes in the run directory. start: place of the encoder to go on from; None for
    the recipe's teacher. seed_names: what beside the recipe's seed sets random numbers apart.
    epochs_key: of the recipe, that says how long. head_alone: whether the encoder stays as it is.
    """

    stage: str
    place: str
    start: str | None
    losses: EncoderLosses
    training: TrainingSettings
    seed_names: tuple[str, ...]
    epochs_key: str = "training.epochs"
    head_alone: bool = False


def corpus_fit_unit(run: CompressRun, fit: CorpusFit) -> Unit:
    """Return the unit that trains an encoder and writes it in transformers' form."""
    recipe = run.recipe
    own_teacher = recipe.warmup_mlm is not None
    needs = [CORPUS, *([fit.start] if fit.start else [])]
    settings: dict[str, Any] = {
        "seed": recipe.seed,
        "seed names": list(fit.seed_names),
        **losses_settings("losses", fit.losses),
        **flat("masking", recipe.masking),
        **training_settings(fit.training, ()),
    }
    if fit.training.max_steps is None:
        settings[fit.epochs_key] = settings.pop("training.epochs")
    if OF_EMBEDDINGS & set(fit.losses.weighted()):
        settings |= flat("embeddings", recipe.embeddings)
    if fit.head_alone:
        settings["head alone"] = True
    if fit.start is None or (reads_teacher(fit.losses) and not own_teacher):
        settings |= encoder_settings("teacher", recipe.teacher)
    elif reads_teacher(fit.losses):
        needs.append(TEACHER)
    return Unit(
        stage=fit.stage,
        place=fit.place,
        settings=settings,
        needs=tuple(needs),
        build=partial(_build, run, fit),
        all_processes=True,
        steps=partial(_steps, run, fit),
        disk=weights_size(recipe.teacher.encoder),
        scratch=("checkpoint", ".checkpoint.partial", ".checkpoint.old", "kept"),
        version=2,  # losses on words are summed up in another order than in version 1
    )


def _build(run: CompressRun, fit: CorpusFit, folder: Path) -> dict[str, Any]:
    from mtkd.stages.compress.fitting import train_on_corpus  # with torch, not to list a run

    return train_on_corpus(run, fit, folder)


def not_known_yet(run: CompressRun) -> str | None:
    """Return what a forecast cannot say before there is a corpus; None once there is one."""
    if (run.folder / CORPUS / INFO).is_file():
        return None
    return "Steps are known once there is a corpus, which mtkd corpus makes."


def _steps(run: CompressRun, fit: CorpusFit) -> int | None:
    """Return the number of updates; None by `max_tokens`, or before there is a corpus."""
    if fit.training.max_steps is not None:
        return fit.training.max_steps
    path = run.folder / CORPUS / INFO
    if fit.training.max_tokens is not None or not path.is_file():
        return None
    rows = json.loads(path.read_text("utf-8"))["rows"]["train"]
    return fit.training.epochs * math.ceil(rows / fit.training.rows_per_update)
