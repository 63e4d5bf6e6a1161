"""Which loss a row gets: gold, soft, or both in a given share."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from mtkd.losses import (
    NO_LABEL,
    gold_cross_entropy,
    listwise_ranking,
    mix,
    soft_cross_entropy,
    squared_error,
)
from mtkd.training.batch import Targets
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
        self, task: TrainingTask, targets: Targets, logits: Tensor, share: float
    ) -> Tensor:
        """Return the loss of each row, (batch,), in nats or squared units.

        A row without a soft label falls back to its gold label, one without a gold label to its
        soft label.
        """
        losses = self._mixed(task, targets, logits, share)
        return losses if targets.weights is None else losses * targets.weights

    def _mixed(self, task: TrainingTask, targets: Targets, logits: Tensor, share: float) -> Tensor:
        losses = self._gold(task, targets, logits)
        if targets.soft is None or targets.known is None:
            return losses
        if task.task.kind == "regression":
            soft = squared_error(logits, targets.soft.squeeze(1))
        else:
            soft = soft_cross_entropy(logits, targets.soft, self.temperature)
        shares = torch.where(targets.known, share, 0.0)
        return mix(losses, soft, torch.where(targets.gold.isnan(), 1.0, shares))

    def _gold(self, task: TrainingTask, targets: Targets, logits: Tensor) -> Tensor:
        gold = targets.gold
        if task.task.kind == "regression":
            return squared_error(logits, gold)
        labels = gold.nan_to_num(NO_LABEL).long()
        losses = gold_cross_entropy(logits, labels)
        if targets.groups is None:
            return losses
        # The paper ranks the candidates of a question. Alone this leaves the score's zero free, and
        # GLUE asks for a class for each pair, so the pointwise loss stays beside it.
        assert task.task.positive is not None
        positive = task.task.labels.index(task.task.positive)
        # a row whose label is unknown is no rival: it stands alone
        alone = -1 - torch.arange(len(gold), device=logits.device)
        groups = torch.where(gold.isnan(), alone, targets.groups)
        return losses + listwise_ranking(logits[:, positive], labels == positive, groups)
