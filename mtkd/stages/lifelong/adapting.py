"""Training the encoder on one corpus of the stream, held to what it was before."""

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
from mtkd.distillation.pair import Pair, make_pair
from mtkd.encoders import check_weights, load_masked_lm, load_tokenizer, save_model
from mtkd.errors import RecipeError
from mtkd.recipe import EncoderSettings, TrainingSettings, derive_seed
from mtkd.recipe.training import Sampling
from mtkd.stages.compress.held_out import score_held_out
from mtkd.stages.corpora import load_corpus, load_masking
from mtkd.stages.lifelong.memory import remembered
from mtkd.stages.lifelong.run import LifelongRun
from mtkd.training import Evaluation, train
from mtkd.training.corpus import TrainingCorpus
from mtkd.training.encoder_goal import EncoderGoal

if TYPE_CHECKING:
    from accelerate import Accelerator
    from transformers import PreTrainedModel

MEMORY = "(memory)"  # no corpus can be named so

log = logging.getLogger(__name__)


def adapt_encoder(
    run: LifelongRun, number: int, training: TrainingSettings, folder: Path
) -> dict[str, Any]:
    """Train the encoder of stage `number`, write it, and return notes for its manifest."""
    recipe, name, before = run.recipe, run.names[number], run.before(number)
    accelerator = start_accelerator(training.precision, training.trackers, folder)
    seed = derive_seed(recipe.seed, "adapt", name)
    model = load_checkpoint(run, before)
    losses, shape = run.losses(number), shape_of(model.config.to_dict())
    pair = make_pair(losses, shape, shape)
    if pair.student.embeddings and accelerator.num_processes > 1:
        raise RecipeError("losses: those between the texts of a batch would be shared out over "
                          "several processes; run in one")  # fmt: skip
    teacher = _teacher(run, number, pair, accelerator)
    queue = recipe.embeddings.queue if pair.queued else 0
    student = DistilledEncoder(model, pair.student, queue=queue)
    sources, training = _sources(run, number, training)
    encoder = recipe.encoder.encoder
    remembers = before is not None and recipe.memory is not None
    read = range(number + 1) if remembers else run.seen(number)
    masking = load_masking(run.corpora(read), encoder, recipe.masking)
    goal = EncoderGoal(pair.terms, pair.student, teacher, masking, seed, recipe.embeddings)
    progress = train(
        student,
        sources,
        training,
        goal,
        accelerator,
        seed=seed,
        folder=folder,
        evaluate=_evaluation(run, number, goal, accelerator),
        title=f"checkpoints/{name}",
    )
    if accelerator.is_main_process:
        save_model(model.cpu(), load_tokenizer(encoder), folder)
        text = json.dumps({"history": progress.history}, indent=2) + "\n"
        (folder / "metrics.json").write_text(text, "utf-8")
    accelerator.wait_for_everyone()
    return {
        "weights_sha256": file_sha256(folder / "model.safetensors"),
        "steps": progress.step,
        "updates": progress.updates,
        "precision": accelerator.mixed_precision,
        "device": str(accelerator.device),
        "memory": progress.memory,
    }


def load_checkpoint(run: LifelongRun, place: str | None) -> PreTrainedModel:
    """Return an encoder of the run with its masked-language head; None for the recipe's own.

    A head that the recipe's encoder lacks is drawn from the seed: the same for every stage.
    """
    if place is not None:
        return load_masked_lm(EncoderSettings(encoder=str(run.folder / place)))[0]
    check_weights(run.recipe.encoder.encoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(run.recipe.seed, "new weights"))
        return load_masked_lm(run.recipe.encoder)[0]


def _teacher(
    run: LifelongRun, number: int, pair: Pair, accelerator: Accelerator
) -> DistilledEncoder | None:
    """Return the frozen encoder of before, where a loss reads it; say so where there is none."""
    place = f"checkpoints/{run.names[number]}"
    if pair.teacher != Needs():
        before = load_checkpoint(run, run.before(number))
        log.info("%s: held to the encoder of before by %s, which runs beside it", place,
                 ", ".join(said_of(t) for t in pair.terms if t.teacher != Needs()))  # fmt: skip
        teacher = DistilledEncoder(before, pair.teacher).requires_grad_(False).eval()
        return teacher.to(accelerator.device)
    if number == 0 and run.losses(0) != run.recipe.weighted_losses:
        log.info("%s: the first corpus, before which there is no encoder to be held to: learnt by "
                 "%s alone", place, ", ".join(t.name for t in pair.terms))  # fmt: skip
    return None


def _sources(
    run: LifelongRun, number: int, training: TrainingSettings
) -> tuple[list[TrainingCorpus], TrainingSettings]:
    """Return what a stage learns from, and how batches are drawn from it."""
    encoder, memory, seed = run.recipe.encoder.encoder, run.recipe.memory, run.recipe.seed
    seen = run.seen(number)
    names = [run.names[n] for n in seen]
    found = [load_corpus([folder], "train", encoder, name)
             for folder, name in zip(run.corpora(seen), names, strict=True)]  # fmt: skip
    if memory is None or run.before(number) is None:
        return found, training
    earlier = [(run.names[n], load_corpus([folder], "train", encoder, run.names[n]).rows.guids)
               for n, folder in enumerate(run.corpora(range(number)))]  # fmt: skip
    chosen = remembered(earlier, memory.rows, memory.strategy, seed)
    rows = load_corpus(run.corpora(range(number)), "train", encoder, MEMORY).rows
    found.append(TrainingCorpus(rows, MEMORY, chosen=chosen))
    sampling = Sampling(strategy="main_auxiliary", main=names[0], ratio=memory.ratio)
    return found, training.model_copy(update={"sampling": sampling})


def _evaluation(
    run: LifelongRun, number: int, goal: EncoderGoal, accelerator: Accelerator
) -> Callable[[DistilledEncoder], Evaluation]:
    encoder, name = run.recipe.encoder.encoder, run.names[number]
    held_out = load_corpus(run.corpora(range(number, number + 1)), "dev", encoder, name)

    def evaluate(model: DistilledEncoder) -> Evaluation:
        found = score_held_out(model, goal, held_out, accelerator)
        log.info("checkpoints/%s: loss on held-out text %.4f", name, found["loss"])
        return Evaluation({name: -found["loss"]}, {f"{name}/dev": found})

    return evaluate
