"""The plain head: one linear layer on one vector a row."""

from __future__ import annotations

from torch import Tensor, nn

from mtkd.heads.initialisation import init_linear_layers
from mtkd.heads.pooling import Pooling, pool


class LinearHead(nn.Module):
    """Dropout, then W x + b, with x the pooled sequence.

    With `outputs` classes these are the logits of a softmax; with one output it is a regression
    score, unbounded.

    Args:
        hidden_size: width of the encoder.
        outputs: number of classes, or 1 for regression.
        dropout: probability of dropping an element of x in training.
        pooling: how x is made; see `pool`.

    Source: Liu et al. 2019 (MT-DNN, arXiv 1901.11504), section 3.
    """

    def __init__(self, hidden_size: int, outputs: int, dropout: float, pooling: Pooling) -> None:
        super().__init__()
        self.pooling: Pooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden_size, outputs)
        init_linear_layers(self)

    def forward(
        self, hidden: Tensor, pooled: Tensor | None, mask: Tensor, segments: Tensor
    ) -> Tensor:
        """Logits, (batch, outputs). For the arguments see `mtkd.heads`; `segments` is not read."""
        return self.linear(self.dropout(pool(hidden, pooled, mask, self.pooling)))
