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
    Embeddings,
    EmbeddingTerm,
    Needs,
    States,
    StateTerm,
    Term,
    WordScoring,
    WordTerm,
)
from mtkd.recipe import EmbeddingSettings, derive_seed
from mtkd.training.corpus import DrawnRows, MaskedBatch, TrainingCorpus
from mtkd.training.cut import Piece, cut_to_pieces

if TYPE_CHECKING:
    from accelerate import Accelerator

_NOTHING = States(None, {}, {})
_PLAIN = EmbeddingSettings()


@dataclasses.dataclass(frozen=True)
class EncoderGoal:
    """The sum of weighted losses between a student and a frozen teacher.

    needs: what is read of the student. teacher: on its device; None where no loss reads one. seed:
    of the masks, which follow from it and the number of the update. embeddings: what a text's is.
    """

    terms: tuple[Term, ...]
    needs: Needs
    teacher: DistilledEncoder | None
    masking: Masking
    seed: int
    embeddings: EmbeddingSettings = _PLAIN
    _seen: list[Tensor] = dataclasses.field(default_factory=list)  # the teacher's, of one update

    def pieces(
        self, corpus: TrainingCorpus, rows: NDArray[np.int64], step: int, parts: int,
        accelerator: Accelerator,
    ) -> list[Piece]:  # fmt: skip
        """Return this process's part of a batch, masked as a whole before it is cut."""
        drawn = self.drawn(corpus, rows, derive_seed(self.seed, "masks", step))
        places = np.arange(len(rows))
        # losses between texts see those that are run together: they are not torn apart
        groups = np.zeros_like(places) if self.needs.embeddings else None

        def make(some: NDArray[np.int64]) -> MaskedBatch:
            return self.batch(drawn, some, accelerator)

        return cut_to_pieces(places, parts, accelerator, make, groups)

    def whole(
        self, corpus: TrainingCorpus, rows: NDArray[np.int64], accelerator: Accelerator
    ) -> Piece:
        """Return some rows in one piece."""
        drawn = self.drawn(corpus, rows, self.seed)
        return Piece(self.batch(drawn, np.arange(len(rows)), accelerator), 1 / len(rows))

    def batch(
        self, drawn: DrawnRows, places: NDArray[np.int64], accelerator: Accelerator
    ) -> MaskedBatch:
        """Return some of the drawn rows as tensors."""
        return drawn.batch(places, accelerator.device, self.needs.embeddings,
                           self.embeddings.inputs)  # fmt: skip

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
                other = self.teacher.shown(batch.of_teacher(), where)
            score = WordScoring(on_words, shares, batch.labels, other.words) if on_words else None
            own, words = model(batch.inputs, batch.positions(self.needs.words), score)
        if words is not None:
            total = total + words.total
            parts |= words.parts
        embedded = None
        if self.needs.embeddings:
            kept = accelerator.unwrap_model(model).queue
            queue = own.hidden[max(own.hidden)].new_empty(0, 0) if kept is None else kept.filled
            embedded = self._embedded(batch, own, other, queue)
        own, other = own.of_rows(batch.rows), other.of_rows(batch.rows)
        for term in self.terms:
            if isinstance(term, WordTerm):
                continue
            with torch.autocast(accelerator.device.type, enabled=False):
                if isinstance(term, StateTerm):
                    values = term.values(own, other, batch)
                elif isinstance(term, EmbeddingTerm):
                    assert embedded is not None
                    values, divergence = term.values(embedded)
                    if divergence is not None:
                        share = shares[term.name]
                        parts[f"{term.name}_divergence"] = divergence.sum().detach() * share
            parts[term.name] = values.sum() * shares[term.name]
            total = total + term.weight * parts[term.name]
        return total * weight, parts

    def end_update(self, model: DistilledEncoder) -> None:
        """Put what the teacher saw of the last batch into the queue, where one is kept."""
        if model.queue is not None:
            model.queue.push(torch.cat(self._seen))

    def _embedded(
        self, batch: MaskedBatch, own: States, other: States, queue: Tensor
    ) -> Embeddings:
        """Return what the texts are to both models, and note what they are to the teacher."""
        self._seen.clear()
        found = batch.embeddings(own.hidden[max(own.hidden)], self.embeddings.pooling)
        theirs = None
        if self.teacher is not None and self.teacher.needs.embeddings:
            (theirs,) = batch.embeddings(other.hidden[max(other.hidden)], self.embeddings.pooling)
            self._seen.append(theirs)
        return Embeddings(found[0], found[1] if len(found) > 1 else None, theirs, queue)
