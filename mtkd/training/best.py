"""The best weights so far, by mean dev score and by each task's, on disk until training ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mtkd.artifacts import publish
from mtkd.checkpoint import load_tensors, load_weights, save_tensors
from mtkd.model import MultiTaskModel
from mtkd.sharding import whole

if TYPE_CHECKING:
    from accelerate import Accelerator

MEAN = "_mean"  # beside the tasks' names; none of them may begin with "_"


class BestWeights:
    """Weights by name (`MEAN` or a task), replaced whenever a better score is found."""

    def __init__(self, folder: Path, accelerator: Accelerator) -> None:
        self._folder = folder
        self._accelerator = accelerator

    def keep(self, name: str, model: MultiTaskModel) -> None:
        """Write the model's weights under `name`. All processes call this."""
        main = self._accelerator.is_main_process
        weights = whole(model.state_dict(), keep=main)
        if main:
            self._folder.mkdir(parents=True, exist_ok=True)
            partial = self._path(name).with_suffix(".partial")
            save_tensors(partial, weights)
            publish(partial, self._path(name))

    def load_into(self, model: MultiTaskModel, name: str = MEAN) -> None:
        """Put the weights kept under `name` into the model.

        The main process has to be done with `keep`; waiting for it is the caller's affair, who
        may be the main process alone.
        """
        load_weights(model, load_tensors(self._path(name)))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.safetensors"
