"""What the loop asks of a training: rows under names, a model, and the loss of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from mtkd.distillation import DistilledEncoder
from mtkd.examples.prepared import PreparedSplit
from mtkd.model import MultiTaskModel
from mtkd.training.cut import Piece
from mtkd.training.live import StudentOfEncoders

if TYPE_CHECKING:
    from accelerate import Accelerator

Trained = MultiTaskModel | StudentOfEncoders | DistilledEncoder


class Source(Protocol):
    """Rows that make batches of their own: those of a task, or of a corpus."""

    @property
    def name(self) -> str:
        """Return what they are called in logs and settings."""

    @property
    def rows(self) -> PreparedSplit:
        """Return all rows."""

    @property
    def ranked(self) -> bool:
        """Return whether rows with the same first text are ranked against each other."""

    @property
    def places(self) -> NDArray[np.int64]:
        """Return the numbers, in `rows`, of the rows to train on."""


S = TypeVar("S", bound=Source, contravariant=True)


class Goal(Protocol[S]):
    """What is to be learnt from a batch."""

    def pieces(
        self, source: S, rows: NDArray[np.int64], step: int, parts: int, accelerator: Accelerator
    ) -> list[Piece]:
        """Return this process's part of update `step`'s batch, in at most `parts` pieces."""

    def whole(self, source: S, rows: NDArray[np.int64], accelerator: Accelerator) -> Piece:
        """Return some rows in one piece, to see what memory they take."""

    def loss(
        self, model: nn.Module, source: S, piece: Piece, weight: float, done: float,
        accelerator: Accelerator,
    ) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
        """Return a piece's part of the batch's loss, and of what it is the sum of, by name.

        Args: weight: of the source. done: share of all updates that were made before.
        """

    def end_update(self, model: Any) -> None:
        """Take note, in the model's own state, of what the update has seen.

        Args: model: that is trained.
        """
