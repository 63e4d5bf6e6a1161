"""Texts without labels as the loop sees them, and batches of them with masked tokens."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtkd.batching.collate import collate
from mtkd.devices import moved
from mtkd.examples.prepared import PreparedSplit
from mtkd.heads import Pooling, pool
from mtkd.losses.precision import precise


@dataclasses.dataclass(frozen=True)
class TrainingCorpus:
    """Rows of tokens to learn a language from. chosen: those to train on; None for all."""

    rows: PreparedSplit
    name: str = "corpus"
    ranked: bool = False
    chosen: NDArray[np.int64] | None = None

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Return the numbers, in `rows`, of the rows to train on."""
        return np.arange(len(self.rows)) if self.chosen is None else self.chosen


@dataclasses.dataclass(frozen=True)
class MaskedBatch:
    """Some rows with masked tokens, in tensors, and again as often as texts are embedded.

    inputs: `input_ids` and `attention_mask`, (times * rows, tokens). real_places: of the rows' real
    tokens in the batch laid flat, the masked ones first. labels: what those were, (masked,). units:
    of the whole batch that the rows are a part of, by name: rows, tokens, masked ones. embedded:
    which times are the texts that are embedded, from 0.
    """

    inputs: Mapping[str, Tensor]
    real_places: Tensor
    labels: Tensor
    units: Mapping[str, int]
    rows: int
    embedded: tuple[int, ...] = ()

    @property
    def mask(self) -> Tensor:
        """Return 1 for real tokens, (rows, tokens)."""
        return self.inputs["attention_mask"][: self.rows]

    def of_teacher(self) -> Mapping[str, Tensor]:
        """Return the inputs of a teacher, which embeds each text once."""
        times = 1 + self.embedded[0] if self.embedded else 1
        return {name: tensor[: times * self.rows] for name, tensor in self.inputs.items()}

    def embeddings(self, last: Tensor, pooling: Pooling) -> list[Tensor]:
        """Return the texts' embeddings, (rows, width) each, as often as there are states of them.

        Args: last: states of the last layer, (times * rows, tokens, width).
        """
        found = last.unflatten(0, (-1, self.rows))
        return [pool(precise(found[time]), None, self.mask, pooling)
                for time in self.embedded if time < len(found)]  # fmt: skip

    def real(self, states: Tensor) -> Tensor:
        """Return the states of real tokens, (tokens, width), of (batch, tokens, width)."""
        return states.flatten(0, 1)[self.real_places]

    def positions(self, at: str | None) -> Tensor | None:
        """Return the places where words are asked for, the masked ones first."""
        if at is None:
            return None
        return self.real_places if at == "real" else self.real_places[: len(self.labels)]


@dataclasses.dataclass(frozen=True)
class DrawnRows:
    """The rows of a batch: tokens as they were, tokens with masks, and which were drawn."""

    tokens: Sequence[NDArray[np.integer]]
    masked: Sequence[NDArray[np.int64]]
    chosen: Sequence[NDArray[np.bool_]]
    pad_token_id: int

    @property
    def units(self) -> dict[str, int]:
        """Return the numbers of rows, tokens and masked tokens."""
        return {
            "row": len(self.tokens),
            "token": sum(map(len, self.tokens)),
            "masked": sum(int(row.sum()) for row in self.chosen),
        }

    def batch(
        self,
        places: Sequence[int] | NDArray[np.int64],
        device: torch.device,
        embeddings: int = 0,
        inputs_of_them: Literal["masked", "unmasked"] = "masked",
    ) -> MaskedBatch:
        """Return some of the rows as tensors on `device`.

        Args: embeddings: how often each text is embedded, from rows with or without masks.
        """
        masked, plain = ([rows[place] for place in places] for rows in (self.masked, self.tokens))
        first = 0 if inputs_of_them == "masked" else 1
        again = [masked if first == 0 else plain] * (embeddings - 1 + first if embeddings else 0)
        inputs = collate({"input_ids": [row for rows in (masked, *again) for row in rows]},
                         self.pad_token_id)  # fmt: skip
        real = inputs["attention_mask"][: len(masked)].flatten().nonzero().squeeze(1)
        chosen = np.concatenate([self.chosen[place] for place in places])
        tokens = np.concatenate([self.tokens[place] for place in places]).astype(np.int64)
        masked_first = torch.from_numpy(np.argsort(~chosen, kind="stable"))
        return MaskedBatch(
            {name: moved(tensor, device) for name, tensor in inputs.items()},
            real_places=moved(real[masked_first], device),
            labels=moved(torch.from_numpy(tokens[chosen]), device),
            units=self.units,
            rows=len(masked),
            embedded=tuple(range(first, first + embeddings)),
        )
