"""What each of several processes does in `test_two_processes`: train, be stopped, go on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from mtkd.devices import start_accelerator
from mtkd.errors import Interrupted
from mtkd.model import MultiTaskModel
from mtkd.training.best import BestWeights
from mtkd.training.loop import Progress
from tests.training.small import Small, after_step, small, terminate, weights

OPTIONS = {
    "dropout": 0.0, "accumulation": 2, "epochs": 2, "learning_rate": 1e-4, "keep": "best",
    "keep_best_per_task": True, "trackers": ("tensorboard",),
}  # fmt: skip


def go(data: Small, folder: Path) -> tuple[MultiTaskModel, Progress]:
    """Train on all three tasks; batches of 4 end in one of 1 row."""
    return data.fit(folder, tasks=[data.task(n, soft=n == "rte") for n in data.splits], **OPTIONS)


def main(encoder: str, folder: Path) -> None:
    torch.set_num_threads(1)
    accelerator = start_accelerator("fp32")
    rank = accelerator.process_index
    data = small(encoder, folder / f"rows-{rank}")

    model, progress = go(data, folder / "straight")
    if accelerator.is_main_process:
        save_file(weights(model), folder / "straight.safetensors")
        (folder / "history.json").write_text(json.dumps(progress.history), "utf-8")
        # the main process alone, as the writer of a finished model does
        BestWeights(folder / "straight/kept", accelerator).load_into(model, "stsb")
    accelerator.wait_for_everyone()

    stopped_at = -1 if rank == 0 else 5  # the signal reaches one process only
    try:
        with after_step(stopped_at, terminate):
            go(data, folder / "resumed")
        raise AssertionError("was not stopped")
    except Interrupted as error:
        print(error)
    model, _ = go(data, folder / "resumed")
    if accelerator.is_main_process:
        save_file(weights(model), folder / "resumed.safetensors")
    accelerator.wait_for_everyone()
    accelerator.state.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
