"""Texts without labels as the loop sees them, and batches of them with masked tokens."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtkd.batching.collate import collate
from mtkd.devices import moved
from mtkd.examples.prepared import PreparedSplit


@dataclasses.dataclass(frozen=True)
class TrainingCorpus:
    """Rows of tokens to learn a language from."""

    rows: PreparedSplit
    name: str = "corpus"
    ranked: bool = False

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Return the numbers of all rows."""
        return np.arange(len(self.rows))


@dataclasses.dataclass(frozen=True)
class MaskedBatch:
    """Some rows with masked tokens, in tensors.

    inputs: `input_ids` and `attention_mask`, (batch, tokens). real_places: of real tokens in the
    batch laid flat, the masked ones first. labels: what those were, (masked,). units: of the whole
    batch that the rows are a part of, by name: rows, tokens, masked ones.
    """

    inputs: Mapping[str, Tensor]
    real_places: Tensor
    labels: Tensor
    units: Mapping[str, int]

    @property
    def mask(self) -> Tensor:
        """Return 1 for real tokens, (batch, tokens)."""
        return self.inputs["attention_mask"]

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

    def batch(self, places: Sequence[int] | NDArray[np.int64], device: torch.device) -> MaskedBatch:
        """Return some of the rows as tensors on `device`."""
        inputs = collate({"input_ids": [self.masked[place] for place in places]},
                         self.pad_token_id)  # fmt: skip
        real = inputs["attention_mask"].flatten().nonzero().squeeze(1)
        chosen = np.concatenate([self.chosen[place] for place in places])
        tokens = np.concatenate([self.tokens[place] for place in places]).astype(np.int64)
        masked_first = torch.from_numpy(np.argsort(~chosen, kind="stable"))
        return MaskedBatch(
            {name: moved(tensor, device) for name, tensor in inputs.items()},
            real_places=moved(real[masked_first], device),
            labels=moved(torch.from_numpy(tokens[chosen]), device),
            units=self.units,
        )
