"""The relevance head: one score a row, laid out as the logits of two classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mtkd.heads.initialisation import init_linear_layers
from mtkd.heads.pooling import Pooling, pool


class RankingHead(nn.Module):
    """Relevance w.x, in the positive class's column of two logits; the other column is 0.

    softmax of these logits is (sigmoid(w.x), 1 - sigmoid(w.x)), so losses, metrics, thresholds and
    soft labels work as for classification; `listwise_ranking` takes the positive column alone.
    There is no bias: within one question's softmax it would cancel and never be trained.

    Args:
        hidden_size: width of the encoder.
        dropout: probability of dropping an element of x in training.
        pooling: how x is made; see `pool`.
        positive: column of the class that means "relevant", 0 or 1.
        outputs: number of classes; relevance has two.

    Raises: ValueError: when `outputs` is not 2, or `positive` neither 0 nor 1.
    Source: Liu et al. 2019 (MT-DNN, arXiv 1901.11504), section 3, relevance ranking.
    """

    def __init__(
        self, hidden_size: int, dropout: float, pooling: Pooling, positive: int, outputs: int = 2
    ) -> None:
        super().__init__()
        if outputs != 2:
            raise ValueError(
                f"a ranking head needs a task of 2 classes, got outputs={outputs}; use 'linear'"
            )
        if positive not in (0, 1):
            raise ValueError(
                f"a ranking head needs positive=0 or 1, the column of 'relevant', got {positive!r}"
            )
        self.pooling: Pooling = pooling
        self.positive = positive
        self.dropout = nn.Dropout(dropout)
        self.relevance = nn.Linear(hidden_size, 1, bias=False)
        init_linear_layers(self)

    def forward(
        self, hidden: Tensor, pooled: Tensor | None, mask: Tensor, segments: Tensor
    ) -> Tensor:
        """Logits, (batch, 2). For the arguments see `mtkd.heads`; `segments` is not read."""
        score = self.relevance(self.dropout(pool(hidden, pooled, mask, self.pooling)))
        columns = [torch.zeros_like(score), torch.zeros_like(score)]
        columns[self.positive] = score
        return torch.cat(columns, dim=1)
