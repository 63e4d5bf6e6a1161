"""Training one encoder on the corpus: from rows of tokens to a checkpoint of transformers."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mtkd.artifacts import file_sha256
from mtkd.devices import start_accelerator
from mtkd.distillation import DistilledEncoder, Needs, said_of, shape_of
from mtkd.distillation.pair import make_pair
from mtkd.distillation.states import encoder_of
from mtkd.encoders import load_tokenizer, save_model
from mtkd.errors import RecipeError
from mtkd.recipe import derive_seed
from mtkd.recipe.encoder_losses import OF_EMBEDDINGS, OF_MASKED_WORDS
from mtkd.stages.compress.fit import CorpusFit
from mtkd.stages.compress.held_out import score_held_out
from mtkd.stages.compress.models import load_corpus, load_masking, load_model, load_teacher
from mtkd.stages.compress.run import CompressRun, has_words, reads_teacher
from mtkd.training import Evaluation, train
from mtkd.training.encoder_goal import EncoderGoal

if TYPE_CHECKING:
    from accelerate import Accelerator

log = logging.getLogger(__name__)


def train_on_corpus(run: CompressRun, fit: CorpusFit, folder: Path) -> dict[str, Any]:
    """Train an encoder, write it with its metrics, and return notes for its manifest."""
    accelerator = start_accelerator(fit.training.precision, fit.training.trackers, folder)
    seed = derive_seed(run.recipe.seed, *fit.seed_names)
    torch.manual_seed(derive_seed(seed, "new weights"))
    model = load_model(run, fit.start)
    shape = shape_of(model.config.to_dict())
    teacher = None
    if reads_teacher(fit.losses):
        teacher = load_teacher(run, Needs(), accelerator.device)
        pair = make_pair(fit.losses, shape, shape_of(teacher.model.config.to_dict()))
        teacher.needs = pair.teacher
        log.info("%s: a live teacher of %.1fM weights reads every batch, for %s", fit.place,
                 teacher.model.num_parameters() / 1e6, ", ".join(map(said_of, pair.terms))
                 )  # fmt: skip
    else:
        pair = make_pair(fit.losses, shape, shape)
    if pair.student.embeddings and accelerator.num_processes > 1:
        names = ", ".join(sorted(OF_EMBEDDINGS & set(fit.losses.weighted())))
        raise RecipeError(f"losses: {names}: between the texts of a batch, which several processes "
                          "would share out; run in one process")  # fmt: skip
    queue = run.recipe.embeddings.queue if pair.queued else 0
    student = DistilledEncoder(model, pair.student, pair.projected, queue=queue,
                               head_alone=fit.head_alone)  # fmt: skip
    goal = EncoderGoal(pair.terms, pair.student, teacher, load_masking(run), seed,
                       run.recipe.embeddings)  # fmt: skip
    progress = train(
        student,
        [load_corpus(run, "train")],
        fit.training,
        goal,
        accelerator,
        seed=seed,
        folder=folder,
        evaluate=_evaluation(run, fit, goal, accelerator),
        title=fit.place,
    )
    best = max(progress.history, key=lambda entry: entry["mean"])
    chosen = best if fit.training.keep == "best" else progress.history[-1]
    # a head that nobody has trained would pass for one that is
    own = run.recipe.student
    copied = has_words(run.recipe) and own.start == "teacher" and not own.official
    learnt = copied or OF_MASKED_WORDS & set(fit.losses.weighted())
    saved = model if learnt else encoder_of(model)
    if accelerator.is_main_process:
        save_model(saved.cpu(), load_tokenizer(run.recipe.teacher.encoder), folder)
        content = {"chosen": chosen, "history": progress.history}
        (folder / "metrics.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    accelerator.wait_for_everyone()
    return {
        "weights_sha256": file_sha256(folder / "model.safetensors"),
        "loss_held_out": -chosen["mean"],
        "parameters": saved.num_parameters(),
        "steps": progress.step,
        "precision": accelerator.mixed_precision,
        "device": str(accelerator.device),
        "memory": progress.memory,
    }


def _evaluation(
    run: CompressRun, fit: CorpusFit, goal: EncoderGoal, accelerator: Accelerator
) -> Callable[[DistilledEncoder], Evaluation]:
    corpus = load_corpus(run, "dev")

    def evaluate(model: DistilledEncoder) -> Evaluation:
        found = score_held_out(model, goal, corpus, accelerator)
        log.info("%s: loss on held-out text %.4f (%s)", fit.place, found["loss"],
                 ", ".join(f"{n} {v:.4f}" for n, v in found.items() if n != "loss"))  # fmt: skip
        return Evaluation({"corpus": -found["loss"]}, {"corpus/dev": found})

    return evaluate
