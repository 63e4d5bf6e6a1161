"""A training's state on disk: when it is due, what goes into it, and how it is put back."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mtkd.checkpoint import (
    load_checkpoint,
    load_model_tensors,
    load_optimizer_tensors,
    model_tensors,
    optimizer_tensors,
    save_checkpoint,
)
from mtkd.errors import Diverged, RunDirError
from mtkd.optim import DeferredRows, check_deferred
from mtkd.recipe.save_every import SaveInterval
from mtkd.sharding import whole
from mtkd.training.goal import Trained
from mtkd.training.progress import Progress

if TYPE_CHECKING:
    from accelerate import Accelerator


class SavedState:
    """Weights, the optimiser's state and progress, in `folder`."""

    def __init__(
        self,
        folder: Path,
        model: Trained,
        optimizer: torch.optim.Optimizer,
        deferred: DeferredRows | None,
        accelerator: Accelerator,
        every: SaveInterval,
    ) -> None:
        self._folder, self._every = folder, every
        self._model, self._optimizer, self._deferred = model, optimizer, deferred
        self._accelerator = accelerator
        self._saved_at = time.monotonic()

    def load(self) -> Progress:
        """Put back what was saved and return its progress, which is at 0 where nothing was.

        Raises: RunDirError: it is not as it was written, or not as this version writes it.
        """
        saved = load_checkpoint(self._folder)
        if saved is None:
            return Progress()
        tensors, state = saved
        if state.keys() != {field.name for field in dataclasses.fields(Progress)}:
            raise RunDirError(f"{self._folder}: was saved by another version of mtkd; go on with "
                              f"that one, or delete {self._folder.parent} to begin it anew"
                              )  # fmt: skip
        check_deferred(tensors, self._deferred, self._folder)
        load_model_tensors(self._model, tensors)
        load_optimizer_tensors(self._optimizer, tensors)
        if self._deferred is not None:  # last: a look at the weights would give rows updates anew
            self._deferred.load(tensors)
        return Progress(**state)

    def start_clock(self) -> None:
        """Count minutes from now."""
        self._saved_at = time.monotonic()

    def is_due(self, step: int, looked: bool) -> bool:
        """Return whether update `step` is to be followed by a save; all processes agree.

        Args: looked: whether they wait for each other after this update anyhow. Steps are counted
            by each alone, but clocks differ, and asking costs a wait.
        """
        if self._every.steps is not None:
            return step % self._every.steps == 0
        assert self._every.minutes is not None
        if self._accelerator.num_processes > 1 and not looked:
            return False
        since = time.monotonic() - self._saved_at
        return anywhere(since >= 60 * self._every.minutes, self._accelerator)

    def exists(self) -> bool:
        """Return whether a state was saved; all processes call this."""
        return anywhere(self._folder.is_dir(), self._accelerator)

    def save(self, progress: Progress, title: str) -> None:
        """Write the state in place of the one before; all processes call this.

        Raises: Diverged: a weight is NaN or infinite, and the state before is left as it was. A
            loss need not show it: it is of one task, and heads have weights of their own.
        """
        main = self._accelerator.is_main_process
        with self._deferred.as_they_are() if self._deferred else contextlib.nullcontext():
            own = model_tensors(self._model) | optimizer_tensors(self._optimizer)
            tensors = whole(own, keep=main)
        if self._deferred:
            tensors |= self._deferred.tensors()
        broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
        if anywhere(bool(broken), self._accelerator):
            shown = ", ".join(broken[:3]) or "weights that the first process names"
            more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
            raise Diverged(
                f"{title}: NaN or infinite after step {progress.step}: {shown}{more}. Nothing "
                "after the last save is kept; lower training.learning_rate, or set "
                "training.precision=fp32, and run again"
            )
        if main:
            save_checkpoint(self._folder, tensors, dataclasses.asdict(progress))
        self.start_clock()


def anywhere(asked: bool, accelerator: Accelerator) -> bool:
    """Return whether `asked` is true in any process; all of them call this."""
    if accelerator.num_processes == 1:
        return asked
    flag = torch.tensor(float(asked), device=accelerator.device)
    return bool(accelerator.reduce(flag, "sum").item() > 0)
