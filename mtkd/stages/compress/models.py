"""The encoders of a compress run, loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtkd.batching.masking import Masking
from mtkd.distillation import DistilledEncoder, Needs
from mtkd.encoders import check_weights, load_masked_lm
from mtkd.recipe import EncoderSettings
from mtkd.stages import corpora
from mtkd.stages.compress.run import CORPUS, TEACHER, CompressRun
from mtkd.training.corpus import TrainingCorpus

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def load_model(run: CompressRun, place: str | None) -> PreTrainedModel:
    """Return an encoder of the run with its masked-language head; None for the recipe's teacher."""
    if place is not None:
        return load_masked_lm(EncoderSettings(encoder=str(run.folder / place)))[0]
    check_weights(run.recipe.teacher.encoder)
    return load_masked_lm(run.recipe.teacher)[0]


def load_teacher(run: CompressRun, needs: Needs, device: torch.device) -> DistilledEncoder:
    """Return the frozen teacher, on `device`."""
    model = load_model(run, TEACHER if run.recipe.warmup_mlm is not None else None)
    return DistilledEncoder(model, needs).requires_grad_(False).eval().to(device)


def load_corpus(run: CompressRun, split: str) -> TrainingCorpus:
    """Return the corpus's rows, to learn from or held out."""
    return corpora.load_corpus([run.folder / CORPUS], split, run.recipe.teacher.encoder, CORPUS)


def load_masking(run: CompressRun) -> Masking:
    """Return how the corpus is masked."""
    recipe = run.recipe
    return corpora.load_masking([run.folder / CORPUS], recipe.teacher.encoder, recipe.masking)
