"""MT-DNN's ranking objective: a softmax over the candidates of one question."""

from __future__ import annotations

import torch
from torch import Tensor

from mtkd.losses.checks import expect_shape


def listwise_ranking(scores: Tensor, relevant: Tensor, groups: Tensor) -> Tensor:
    """-log softmax of a relevant row's score among the rows of its group, in nats, one value a row.

    Irrelevant rows give 0, and so do all rows of a group that lacks a relevant or an irrelevant
    row, where nothing is ranked. A group has to lie in one batch, whole: rows elsewhere are not
    seen, so this loss, unlike the others, depends on how rows are split.

    Args:
        scores: relevance, the ranking head's positive column, (batch,).
        relevant: whether the row answers its question, bool, (batch,).
        groups: an id for each question, int64, (batch,).

    Returns: (batch,).
    Raises: ShapeError: when the three shapes differ. TypeError: when `relevant` is not bool.
    Source: Liu et al. 2019 (MT-DNN, arXiv 1901.11504), relevance ranking.
    """
    rows = (scores.size(0) if scores.dim() else 1,)
    expect_shape("scores", scores, rows, "one score a row")
    expect_shape("relevant", relevant, rows, f"scores {rows}")
    expect_shape("groups", groups, rows, f"scores {rows}")
    if relevant.dtype != torch.bool:
        raise TypeError(f"relevant: expected bool, got {relevant.dtype}")
    same = groups.unsqueeze(1) == groups.unsqueeze(0)  # a row is always in its own group
    log_totals = scores.expand(same.shape).masked_fill(~same, -torch.inf).logsumexp(dim=1)
    has_rivals = (same & ~relevant).any(dim=1)
    return (log_totals - scores).masked_fill(~(relevant & has_rivals), 0.0)
