"""The best weights so far, by mean dev score and by each task's, on disk until training ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load_file, save_file

from mtkd.artifacts import publish
from mtkd.model import MultiTaskModel

if TYPE_CHECKING:
    from accelerate import Accelerator

MEAN = "_mean"  # beside the tasks' names; none of them may begin with "_"


class BestWeights:
    """Weights by name (`MEAN` or a task), replaced whenever a better score is found."""

    def __init__(self, folder: Path, accelerator: Accelerator) -> None:
        self._folder = folder
        self._accelerator = accelerator

    def keep(self, name: str, model: MultiTaskModel) -> None:
        """Write the model's weights under `name`."""
        if self._accelerator.is_main_process:
            self._folder.mkdir(parents=True, exist_ok=True)
            partial = self._path(name).with_suffix(".partial")
            weights = {k: t.detach().cpu().contiguous() for k, t in model.state_dict().items()}
            save_file(weights, partial)
            publish(partial, self._path(name))

    def load_into(self, model: MultiTaskModel, name: str = MEAN) -> None:
        """Put the weights kept under `name` into the model.

        The main process has to be done with `keep`; waiting for it is the caller's affair, who
        may be the main process alone.
        """
        model.load_state_dict(load_file(self._path(name)), strict=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.safetensors"
