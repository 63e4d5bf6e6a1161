"""A small encoder output for heads to read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

HIDDEN_SIZE = 6


@dataclass(frozen=True)
class EncoderOutput:
    """What a head is called with, in its order."""

    hidden: Tensor
    pooled: Tensor | None
    mask: Tensor
    segments: Tensor

    def args(self) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
        return self.hidden, self.pooled, self.mask, self.segments

    def padded(self, by: int) -> EncoderOutput:
        """The same rows with `by` more pads, whose hidden states are far off."""
        rows = self.mask.size(0)
        pads = torch.zeros(rows, by, dtype=torch.long)
        junk = torch.full((rows, by, HIDDEN_SIZE), 1e3, dtype=self.hidden.dtype)
        return replace(
            self,
            hidden=torch.cat([self.hidden, junk], dim=1),
            mask=torch.cat([self.mask, pads], dim=1),
            segments=torch.cat([self.segments, pads], dim=1),
        )


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        yield


@pytest.fixture
def pairs() -> EncoderOutput:
    """Three rows `[CLS] a [SEP] b [SEP]` of different lengths, in float64."""
    segments = torch.tensor(
        [
            [0, 1, 1, 1, 0, 2, 2, 0],
            [0, 1, 0, 2, 2, 2, 0, 0],
            [0, 1, 1, 0, 2, 0, 0, 0],
        ]
    )
    lengths = torch.tensor([8, 7, 6])
    mask = (torch.arange(8) < lengths.unsqueeze(1)).long()
    hidden = torch.randn(3, 8, HIDDEN_SIZE, dtype=torch.float64)
    pooled = torch.randn(3, HIDDEN_SIZE, dtype=torch.float64)
    return EncoderOutput(hidden, pooled, mask, segments)
