"""What an encoder learns from a corpus: to be like its teacher, by any of the losses together."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mtkd.batching.masking import Masking
from mtkd.distillation import (
    DistilledEncoder,
    Needs,
    States,
    StateTerm,
    Term,
    WordScoring,
    WordTerm,
)
from mtkd.recipe import derive_seed
from mtkd.training.corpus import DrawnRows, MaskedBatch, TrainingCorpus
from mtkd.training.cut import Piece, cut_to_pieces

if TYPE_CHECKING:
    from accelerate import Accelerator

_NOTHING = States(None, {}, {})


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
        # a batch with nothing masked has no loss on it
        shares = {term.name: piece.share * batch.units["row"] / max(1, batch.units[term.unit])
                  for term in self.terms}  # fmt: skip
        on_words = tuple(term for term in self.terms if isinstance(term, WordTerm))
        parts: dict[str, Tensor] = {}
        total = torch.zeros((), device=accelerator.device)
        with accelerator.autocast():
            other = _NOTHING
            if self.teacher is not None:
                where = batch.positions(self.teacher.needs.words)
                other = self.teacher.shown(batch.inputs, where)
            score = WordScoring(on_words, shares, batch.labels, other.words) if on_words else None
            own, words = model(batch.inputs, batch.positions(self.needs.words), score)
        if words is not None:
            total = total + words.total
            parts |= words.parts
        for term in self.terms:
            if isinstance(term, StateTerm):
                with torch.autocast(accelerator.device.type, enabled=False):
                    values = term.values(own, other, batch)
                parts[term.name] = values.sum() * shares[term.name]
                total = total + term.weight * parts[term.name]
        return total * weight, parts
