"""Which loss a row gets: gold, soft, or both in a given share."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mtkd.losses import (
    NO_LABEL,
    gold_cross_entropy,
    listwise_ranking,
    mix,
    soft_cross_entropy,
    squared_error,
)
from mtkd.training.batch import Batch, Targets, make_batch
from mtkd.training.cut import Piece, cut_to_pieces
from mtkd.training.task import TrainingTask

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclasses.dataclass(frozen=True)
class Objective:
    """How soft and gold labels are mixed on tasks that have both (arXiv 1904.09482, section 3).

    Args: distill_weight: share of the soft loss. anneal: let it fall from 1 to 0 over the updates
        instead (BAM). temperature: T of the soft labels, and of the student against them.
    """

    distill_weight: float = 0.5
    anneal: bool = False
    temperature: float = 1.0

    def pieces(
        self, task: TrainingTask, rows: NDArray[np.int64], step: int, parts: int,
        accelerator: Accelerator,
    ) -> list[Piece]:  # fmt: skip
        """Return this process's part of a batch, which is the same whatever the step."""
        groups = task.rows.groups if task.ranked else None

        def make(part: NDArray[np.int64]) -> Batch:
            return make_batch(task, part).to(accelerator.device)

        return cut_to_pieces(rows, parts, accelerator, make, groups)

    def whole(self, task: TrainingTask, rows: NDArray[np.int64], accelerator: Accelerator) -> Piece:
        """Return some rows in one piece, whose loss is their mean."""
        return Piece(make_batch(task, rows).to(accelerator.device), 1 / len(rows))

    def loss(
        self, model: nn.Module, task: TrainingTask, piece: Piece, weight: float, done: float,
        accelerator: Accelerator,
    ) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
        """Return a piece's part of the batch's mean loss."""
        with accelerator.autocast():  # which no wrapper of a sharded model does
            logits = model(task.name, **piece.batch.inputs)
        losses = self.row_losses(task, piece.batch.targets, logits, self.soft_share(done))
        return losses.sum() * (weight * piece.share), {}

    def end_update(self, model: nn.Module) -> None:
        """Do nothing: what is learnt next does not depend on what was seen."""

    def soft_share(self, done: float) -> float:
        """Return the share of the soft loss once a share of the updates is done."""
        return 1.0 - done if self.anneal else self.distill_weight

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
