"""What an encoder learns from a corpus: to be like its teacher, by any of the losses together."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mtkd.batching.masking import Masking
from mtkd.distillation import DistilledEncoder, Needs, States, Term
from mtkd.recipe import derive_seed
from mtkd.training.corpus import DrawnRows, MaskedBatch, TrainingCorpus
from mtkd.training.cut import Piece, cut_to_pieces

if TYPE_CHECKING:
    from accelerate import Accelerator

_NOTHING = States(None, None, {}, {})


@dataclasses.dataclass(frozen=True)
class EncoderGoal:
    """The sum of weighted losses between a student and a frozen teacher.

    needs: what is read of the student. teacher: on its device; None where no loss reads one. seed:
    of the masks, which follow from it and the number of the update.
    """

    terms: tuple[Term, ...]
    needs: Needs
    teacher: DistilledEncoder | None
    masking: Masking
    seed: int

    def pieces(
        self, corpus: TrainingCorpus, rows: NDArray[np.int64], step: int, parts: int,
        accelerator: Accelerator,
    ) -> list[Piece]:  # fmt: skip
        """Return this process's part of a batch, masked as a whole before it is cut."""
        drawn = self.drawn(corpus, rows, derive_seed(self.seed, "masks", step))

        def make(places: NDArray[np.int64]) -> MaskedBatch:
            return drawn.batch(places, accelerator.device)

        return cut_to_pieces(np.arange(len(rows)), parts, accelerator, make)

    def whole(
        self, corpus: TrainingCorpus, rows: NDArray[np.int64], accelerator: Accelerator
    ) -> Piece:
        """Return some rows in one piece."""
        drawn = self.drawn(corpus, rows, self.seed)
        return Piece(drawn.batch(np.arange(len(rows)), accelerator.device), 1 / len(rows))

    def drawn(self, corpus: TrainingCorpus, rows: NDArray[np.int64], seed: int) -> DrawnRows:
        """Return some rows with their masks."""
        tokens = corpus.rows.tokens(rows)
        masked, chosen = self.masking.draw(tokens, np.random.default_rng(seed))
        return DrawnRows(tokens, masked, chosen, corpus.rows.pad_token_id)

    def loss(
        self, model: nn.Module, corpus: TrainingCorpus, piece: Piece, weight: float, done: float,
        accelerator: Accelerator,
    ) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
        """Return a piece's part of the batch's loss, and of each of its terms before its weight."""
        batch: MaskedBatch = piece.batch
        with accelerator.autocast():
            own = model(batch.inputs, batch.positions(self.needs.logits))
            other = _NOTHING
            if self.teacher is not None:
                where = batch.positions(self.teacher.needs.logits)
                other = self.teacher.shown(batch.inputs, where)
        parts = {}
        for term in self.terms:
            count = max(1, batch.units[term.unit])  # of a batch with no mask the loss is 0
            share = piece.share * batch.units["row"] / count
            with torch.autocast(accelerator.device.type, enabled=False):
                parts[term.name] = term.values(own, other, batch).sum() * share
        total = torch.stack([term.weight * parts[term.name] for term in self.terms]).sum()
        return total * weight, parts
