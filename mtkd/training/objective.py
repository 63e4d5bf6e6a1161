"""Which loss a row gets: gold, soft, or both in a given share."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtkd.losses import (
    NO_LABEL,
    gold_cross_entropy,
    listwise_ranking,
    mix,
    soft_cross_entropy,
    squared_error,
)
from mtkd.training.task import TrainingTask


@dataclasses.dataclass(frozen=True)
class Objective:
    """How soft and gold labels are mixed on tasks that have both (arXiv 1904.09482, section 3).

    Args: distill_weight: share of the soft loss. anneal: let it fall from 1 to 0 over the updates
        instead (BAM). temperature: T of the soft labels, and of the student against them.
    """

    distill_weight: float = 0.5
    anneal: bool = False
    temperature: float = 1.0

    def soft_share(self, step: int, steps: int) -> float:
        """Return the share of the soft loss at update `step` (from 0) of `steps`."""
        return 1.0 - step / steps if self.anneal else self.distill_weight

    def row_losses(
        self, task: TrainingTask, rows: NDArray[np.int64], logits: Tensor, share: float
    ) -> Tensor:
        """Return the loss of each row, (batch,), in nats or squared units.

        A row without a soft label falls back to its gold label, one without a gold label to its
        soft label.
        """
        losses = self._mixed(task, rows, logits, share)
        if task.weights is None:
            return losses
        return losses * torch.as_tensor(task.weights[rows]).to(losses.device)

    def _mixed(
        self, task: TrainingTask, rows: NDArray[np.int64], logits: Tensor, share: float
    ) -> Tensor:
        gold = task.rows.gold(rows).to(logits.device)
        losses = self._gold(task, rows, logits, gold)
        if task.soft is None:
            return losses
        targets = torch.as_tensor(task.soft.targets[rows]).to(logits.device)
        known = torch.as_tensor(task.soft.known[rows]).to(logits.device)
        if task.task.kind == "regression":
            soft = squared_error(logits, targets.squeeze(1))
        else:
            soft = soft_cross_entropy(logits, targets, self.temperature)
        shares = torch.where(known, share, 0.0)
        return mix(losses, soft, torch.where(gold.isnan(), 1.0, shares))

    def _gold(
        self, task: TrainingTask, rows: NDArray[np.int64], logits: Tensor, gold: Tensor
    ) -> Tensor:
        if task.task.kind == "regression":
            return squared_error(logits, gold)
        labels = gold.nan_to_num(NO_LABEL).long()
        losses = gold_cross_entropy(logits, labels)
        if not task.ranked:
            return losses
        # The paper ranks the candidates of a question. Alone this leaves the score's zero free, and
        # GLUE asks for a class for each pair, so the pointwise loss stays beside it.
        assert task.task.positive is not None
        positive = task.task.labels.index(task.task.positive)
        groups = torch.as_tensor(task.rows.groups[rows]).to(logits.device)
        # a row whose label is unknown is no rival: it stands alone
        alone = -1 - torch.arange(len(rows), device=logits.device)
        groups = torch.where(gold.isnan(), alone, groups)
        return losses + listwise_ranking(logits[:, positive], labels == positive, groups)
