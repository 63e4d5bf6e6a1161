"""Tasks with live teachers: losses between encoders beside those on labels, or by themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from mtkd.distillation import Needs, States, StateTerm
from mtkd.distillation.encoder import projected_by, projection
from mtkd.distillation.states import encode
from mtkd.errors import EncoderError
from mtkd.examples.prepared import PreparedSplit
from mtkd.model import MultiTaskModel
from mtkd.training.batch import Batch, make_batch
from mtkd.training.cut import Piece, cut_to_pieces
from mtkd.training.objective import Objective
from mtkd.training.task import TrainingTask

if TYPE_CHECKING:
    from accelerate import Accelerator


class StudentOfEncoders(nn.Module):
    """A multi-task student whose encoder is compared with teachers'.

    What is learnt only to compare them, `heads.projection`, is no part of `model`.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        tasks: Collection[str],
        needs: Needs,
        projected: int | None,
        *,
        alone: bool = False,
    ) -> None:
        """Wrap a student.

        Args: tasks: those with a live teacher. needs: what the losses read. projected: as for
            `DistilledEncoder`. alone: whether labels do not count, so that heads stay as they are.
        """
        super().__init__()
        self._tasks, self._alone = frozenset(tasks), alone
        self.model = model
        self.needs = needs
        self.heads = projection(int(model.encoder.config.hidden_size), projected)

    @property
    def encoder(self) -> PreTrainedModel:
        """Return the shared encoder."""
        return self.model.encoder

    @property
    def watched(self) -> Mapping[str, nn.Module]:
        """Return the weights that have to move: each task's own, or the encoder's."""
        return dict.fromkeys(self.model.heads, self.encoder) if self._alone else self.model.watched

    def forward(self, task: str, **inputs: Tensor) -> tuple[Tensor, States]:
        """Return logits, and what the losses read; see `MultiTaskModel.with_states`.

        What no loss reads has no part in the result, or several processes would wait for its
        gradient.
        """
        if task not in self._tasks:
            return self.model(task, **inputs), States(None, {}, {})
        logits, states = self.model.with_states(task, self.needs, **inputs)
        if self._alone:
            logits = logits.detach()
        return logits, projected_by(self.heads, states)

    @contextmanager
    def without_padding(self) -> Iterator[None]:
        """Refuse to run without padding.

        Raises: EncoderError: always.
        """
        raise EncoderError("training.unpad: student.losses read padded batches; leave out one of "
                           "the two")  # fmt: skip
        yield


@dataclasses.dataclass(frozen=True)
class LiveTeacher:
    """A task's teacher as it runs beside the student: its frozen encoder, and its own rows.

    rows: tokenised for it, in the order of the student's.
    """

    encoder: PreTrainedModel
    rows: PreparedSplit
    needs: Needs
    terms: tuple[StateTerm, ...]


@dataclasses.dataclass(frozen=True)
class RowsForBoth:
    """A batch for student and teacher. tokens: of the whole batch that it is a part of, a row."""

    batch: Batch
    teacher: dict[str, Tensor] | None
    tokens: float

    @property
    def mask(self) -> Tensor:
        """Return 1 for real tokens, (batch, tokens)."""
        return self.batch.inputs["attention_mask"]

    def real(self, states: Tensor) -> Tensor:
        """Return the states of real tokens, (tokens, width), of (batch, tokens, width)."""
        return states[self.mask.bool()]


@dataclasses.dataclass(frozen=True)
class LiveObjective:
    """Losses on labels, where `labels` is given, and those between the encoders of a task.

    teachers: by task; tasks without one have losses on labels alone.
    """

    labels: Objective | None
    teachers: Mapping[str, LiveTeacher]

    def pieces(
        self, task: TrainingTask, rows: NDArray[np.int64], step: int, parts: int,
        accelerator: Accelerator,
    ) -> list[Piece]:  # fmt: skip
        """Return this process's part of a batch."""
        groups = task.rows.groups if task.ranked else None
        tokens = float(task.rows.lengths[rows].mean())

        def make(part: NDArray[np.int64]) -> RowsForBoth:
            return self._batch(task, part, tokens, accelerator)

        return cut_to_pieces(rows, parts, accelerator, make, groups)

    def whole(self, task: TrainingTask, rows: NDArray[np.int64], accelerator: Accelerator) -> Piece:
        """Return some rows in one piece, whose loss is their mean."""
        tokens = float(task.rows.lengths[rows].mean())
        return Piece(self._batch(task, rows, tokens, accelerator), 1 / len(rows))

    def loss(
        self, model: nn.Module, task: TrainingTask, piece: Piece, weight: float, done: float,
        accelerator: Accelerator,
    ) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
        """Return a piece's part of the batch's loss, and of each of its terms before its weight."""
        both: RowsForBoth = piece.batch
        teacher = self.teachers.get(task.name)
        with accelerator.autocast():
            logits, own = model(task.name, **both.batch.inputs)
            other = None if teacher is None else _shown(teacher, both.teacher)
        parts: dict[str, Tensor] = {}
        total = torch.zeros((), device=logits.device)
        if self.labels is not None:
            share = self.labels.soft_share(done)
            losses = self.labels.row_losses(task, both.batch.targets, logits, share)
            parts["labels"] = losses.sum() * piece.share
            total = total + parts["labels"]
        for term in teacher.terms if teacher is not None else ():
            assert other is not None
            count = both.tokens if term.unit == "token" else 1.0
            parts[term.name] = term.values(own, other, both).sum() * (piece.share / count)
            total = total + term.weight * parts[term.name]
        return total * weight, parts

    def end_update(self, model: nn.Module) -> None:
        """Do nothing: what is learnt next does not depend on what was seen."""

    def _batch(
        self, task: TrainingTask, rows: NDArray[np.int64], tokens: float, accelerator: Accelerator
    ) -> RowsForBoth:
        teacher, device = self.teachers.get(task.name), accelerator.device
        shown = None
        if teacher is not None:
            shown = {name: t.to(device) for name, t in teacher.rows.batch(rows).items()}
        return RowsForBoth(make_batch(task, rows).to(device), shown, tokens)


@torch.no_grad()
def _shown(teacher: LiveTeacher, inputs: Mapping[str, Tensor] | None) -> States:
    assert inputs is not None
    teacher.encoder.eval()
    own = {k: v for k, v in inputs.items() if k not in ("attention_mask", "segments")}
    return encode(teacher.encoder, teacher.needs, inputs["attention_mask"], own)[1]
