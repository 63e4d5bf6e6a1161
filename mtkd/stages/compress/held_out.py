"""What an encoder's losses are on text that it has not learnt from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from mtkd.distillation import DistilledEncoder
from mtkd.recipe import derive_seed
from mtkd.training.corpus import TrainingCorpus
from mtkd.training.cut import Piece
from mtkd.training.encoder_goal import EncoderGoal

if TYPE_CHECKING:
    from accelerate import Accelerator

_ROWS = 32  # at once, whatever the device, since masks are drawn for so many together


@torch.no_grad()
def score_held_out(
    model: DistilledEncoder, goal: EncoderGoal, corpus: TrainingCorpus, accelerator: Accelerator
) -> dict[str, float]:
    """Return the loss and its terms on all rows, with the same masks each time.

    Returns: "loss", and each term before its weight, a mean over all rows, tokens or masked tokens.
    """
    model.eval()
    order = np.argsort(-corpus.rows.lengths, kind="stable")
    sums = dict.fromkeys((term.name for term in goal.terms), 0.0)
    units = {"row": 0, "token": 0, "masked": 0}
    for number, start in enumerate(range(0, len(order), _ROWS)):
        rows = order[start : start + _ROWS]
        drawn = goal.drawn(corpus, rows, derive_seed(goal.seed, "held out", number))
        piece = Piece(goal.batch(drawn, np.arange(len(rows)), accelerator), 1 / len(rows))
        _, parts = goal.loss(model, corpus, piece, 1.0, 0.0, accelerator)
        for term in goal.terms:
            sums[term.name] += parts[term.name].item() * drawn.units[term.unit]
        units = {name: units[name] + drawn.units[name] for name in units}
    means = {term.name: sums[term.name] / max(1, units[term.unit]) for term in goal.terms}
    return {"loss": sum(term.weight * means[term.name] for term in goal.terms), **means}
