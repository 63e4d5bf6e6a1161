"""The last embeddings of texts, first in, first out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mtkd.errors import ShapeError


class EmbeddingQueue(nn.Module):
    """Embeddings on a model's device, which are saved with its state and are no weights.

    Args: size: slots. width: of an embedding.
    """

    slots: Tensor
    pushed: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("slots", torch.zeros(size, width))
        self.register_buffer("pushed", torch.zeros((), dtype=torch.int64))  # in all

    @property
    def filled(self) -> Tensor:
        """Return the embeddings that are there, (at most size, width), in no order of time."""
        return self.slots[: min(int(self.pushed), len(self.slots))]

    @torch.no_grad()
    def push(self, embeddings: Tensor) -> None:
        """Put embeddings, (texts, width), in the place of the oldest.

        Raises: ShapeError: more than there are slots, or of another width.
        """
        size, width = self.slots.shape
        if embeddings.dim() != 2 or len(embeddings) > size or embeddings.size(1) != width:
            raise ShapeError(f"queue: expected at most {size} embeddings of width {width}, got "
                             f"{tuple(embeddings.shape)}: let it hold a batch at least"
                             )  # fmt: skip
        places = (int(self.pushed) + torch.arange(len(embeddings))) % size
        self.slots[places.to(self.slots.device)] = embeddings.to(self.slots.dtype)
        self.pushed += len(embeddings)
