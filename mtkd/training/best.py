"""The best weights so far, by mean dev score and by each task's, on disk until training ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mtkd.artifacts import publish, remove
from mtkd.checkpoint import load_tensors, load_weights, save_tensors
from mtkd.sharding import whole
from mtkd.training.goal import Trained

if TYPE_CHECKING:
    from accelerate import Accelerator

MEAN = "_mean"  # beside the tasks' names; none of them may begin with "_"


class BestWeights:
    """Weights by name (`MEAN` or a task), each in a file that is named by its epoch as well.

    A better epoch's file does not replace the one before: the saved state still names that one,
    and a run that goes on from it may not find the better epoch again.
    """

    def __init__(self, folder: Path, accelerator: Accelerator, kept: dict[str, int]) -> None:
        """Look into a folder.

        Args: kept: epoch by name, updated by `keep` and part of the state that is saved.
        """
        self._folder = folder
        self._accelerator = accelerator
        self._kept = kept

    def keep(self, name: str, model: Trained, epoch: int) -> None:
        """Write the model's weights under `name`. All processes call this."""
        main = self._accelerator.is_main_process
        weights = whole(model.state_dict(), keep=main)
        self._kept[name] = epoch
        if main:
            self._folder.mkdir(parents=True, exist_ok=True)
            partial = self._path(name).with_suffix(".partial")
            save_tensors(partial, weights)
            publish(partial, self._path(name))

    def check(self) -> None:
        """See that what is kept is whole, as a training goes on.

        Raises: RunDirError: a file is not there, or not as it was written.
        """
        for name in self._kept:
            load_tensors(self._path(name))

    def drop_others(self) -> None:
        """Remove the files that are not kept, once no saved state names them."""
        if self._accelerator.is_main_process and self._folder.is_dir():
            wanted = {self._path(name) for name in self._kept}
            for path in set(self._folder.iterdir()) - wanted:
                remove(path)

    def load_into(self, model: Trained, name: str = MEAN) -> None:
        """Put the weights kept under `name` into the model.

        The main process has to be done with `keep`; waiting for it is the caller's affair, who
        may be the main process alone.
        """
        load_weights(model, load_tensors(self._path(name)))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.{self._kept[name]}.safetensors"
