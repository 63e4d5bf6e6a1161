"""When the encoder is compiled for training, and when that would not pay back."""

from __future__ import annotations

import logging
import os
import shutil
from typing import TYPE_CHECKING, Literal

from mtkd.errors import RecipeError
from mtkd.training.goal import Trained

if TYPE_CHECKING:
    import torch

# A minute or two of compiling, against milliseconds a step; on a CPU the compiled step was no
# faster at all (its random numbers for dropout cost what its fused loops save).
_STEPS_THAT_PAY = 2000

log = logging.getLogger(__name__)


def compile_encoder(
    model: Trained,
    choice: Literal["auto", "on", "off"],
    steps: int,
    device: torch.device,
) -> bool:
    """Let torch compile the encoder when it is first run, if `choice` says so; return whether.

    auto: on a GPU, for 2,000 updates or more. Shapes are symbolic, so there is one program for
    batches of any size and not one for each; names of weights stay as they are.

    Raises: RecipeError: "on" without a C++ compiler on a CPU.
    """
    wanted = choice == "on" or (
        choice == "auto" and device.type == "cuda" and steps >= _STEPS_THAT_PAY
    )
    if not wanted:
        return False
    if device.type == "cpu" and shutil.which(os.environ.get("CXX", "g++")) is None:
        raise RecipeError("training.compile=on: torch needs a C++ compiler (g++, or the one that "
                          "CXX names), and there is none; install one, or leave the key out"
                          )  # fmt: skip
    log.info("compiles the encoder in the first steps, which takes a minute or more")
    model.encoder.compile(dynamic=True)
    return True
