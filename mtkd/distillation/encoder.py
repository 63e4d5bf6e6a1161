"""An encoder that is distilled, or distilled from: a masked-language model of transformers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from mtkd.distillation.needs import Needs
from mtkd.distillation.queue import EmbeddingQueue
from mtkd.distillation.states import States, encoder_of, forward
from mtkd.distillation.words import WordLosses, WordScoring
from mtkd.errors import EncoderError
from mtkd.layers import use_fast_attention, use_fast_dropout


def projection(width: int, projected: int | None) -> nn.ModuleDict:
    """Return the matrix that takes hidden states to another width; none for None."""
    heads = nn.ModuleDict()
    if projected is not None:
        heads["projection"] = nn.Linear(width, projected, bias=False)
    return heads


def projected_by(heads: nn.ModuleDict, states: States) -> States:
    """Return states whose hidden ones are projected, where there is a matrix for it."""
    if "projection" not in heads:
        return states
    project = heads["projection"]
    hidden = {number: project(own) for number, own in states.hidden.items()}
    return dataclasses.replace(states, hidden=hidden)


class DistilledEncoder(nn.Module):
    """A masked-language model of transformers, and what is learnt beside it to compare it.

    Args:
        model: one of `AutoModelForMaskedLM`.
        needs: what the losses read of it.
        projected: width of the teacher's states, to which hidden states are projected by a matrix
            that is learnt along and is no part of the model; None compares them as they are.
        queue: how many of a teacher's embeddings are kept beside it, of the model's own width.
        head_alone: whether only the masked-language head learns, on the states of the encoder as
            it is, without dropout.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        needs: Needs,
        projected: int | None = None,
        *,
        queue: int = 0,
        head_alone: bool = False,
    ) -> None:
        super().__init__()
        use_fast_attention(encoder_of(model))
        use_fast_dropout(model)
        self.model = model
        self.needs = needs
        self.heads = projection(int(model.config.hidden_size), projected)
        width = int(model.config.hidden_size)
        self.queue = EmbeddingQueue(queue, width) if queue else None
        self._head_alone = head_alone
        if head_alone:
            self.encoder.requires_grad_(False)

    @property
    def encoder(self) -> PreTrainedModel:
        """Return the encoder without its masked-language head."""
        return encoder_of(self.model)

    def train(self, mode: bool = True) -> DistilledEncoder:
        """Set dropout on or off, but for an encoder that stays as it is."""
        super().train(mode)
        if self._head_alone:
            self.encoder.eval()
        return self

    @property
    def watched(self) -> Mapping[str, nn.Module]:
        """Return whose weights have to move, by the name of what moves them."""
        return {"corpus": self.model}

    def forward(
        self,
        inputs: Mapping[str, Tensor],
        positions: Tensor | None,
        score: WordScoring | None = None,
    ) -> tuple[States, WordLosses | None]:
        """Return what the losses read, and those on words, by `score`.

        They are taken in here, since several processes have a sharded model's weights whole only
        while it runs. The rest as for `mtkd.distillation.states.forward`.
        """
        found = forward(self.model, self.needs, inputs, positions)
        losses = None
        if score is not None:
            assert found.words is not None
            losses = score(found.words)
        return projected_by(self.heads, found), losses

    @torch.no_grad()
    def shown(self, inputs: Mapping[str, Tensor], positions: Tensor | None) -> States:
        """Return the same of a teacher: in evaluation mode, and no gradient reaches it."""
        self.eval()
        return self(inputs, positions)[0]

    @contextmanager
    def without_padding(self) -> Iterator[None]:
        """Refuse to run without padding.

        Raises: EncoderError: always.
        """
        raise EncoderError("training.unpad: losses between encoders read padded batches; leave it "
                           "out")  # fmt: skip
        yield
