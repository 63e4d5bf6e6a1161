"""From a prepared split to logits, in the order of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from mtkd.batching import inference_batches
from mtkd.errors import RunFailed
from mtkd.examples import PreparedSplit
from mtkd.model import MultiTaskModel
from mtkd.progress import progress_bar

if TYPE_CHECKING:
    from accelerate import Accelerator

MAX_TOKENS = 8192  # padding included, in one forward pass


@torch.no_grad()  # inference mode would mark the buffers of a model that trains on
def predict(
    model: MultiTaskModel,
    task: str,
    split: PreparedSplit,
    accelerator: Accelerator,
    progress: str | None = None,
) -> NDArray[np.float32]:
    """Return the raw logits of every row, (rows, outputs), in file order.

    Rows of like length go together; with several processes each takes a share and all get all.

    Args: progress: what the progress bar says; None for no bar.
    Raises: RunFailed: when a logit is NaN or infinite, naming the first such row.
    """
    model.to(accelerator.device).eval()
    batches = inference_batches(split.lengths, MAX_TOKENS)
    mine = batches[accelerator.process_index :: accelerator.num_processes]
    found: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
    shown = progress is not None and accelerator.is_local_main_process
    with progress_bar(len(mine), progress or "", "batch", shown=shown) as bar:
        for rows in mine:
            inputs = {name: t.to(accelerator.device) for name, t in split.batch(rows).items()}
            with accelerator.autocast():
                logits = model(task, **inputs)
            found.append((rows, logits.cpu().numpy()))
            bar.update()
    if accelerator.num_processes > 1:
        from accelerate.utils import gather_object

        found = gather_object(found)
    outputs = model.head_configs[task]["outputs"]
    everything = np.full((len(split), outputs), np.nan, dtype=np.float32)
    for rows, logits in found:
        everything[rows] = logits
    bad = np.flatnonzero(~np.isfinite(everything).all(axis=1))
    if len(bad):
        raise RunFailed(f"{len(bad)} rows have logits that are not finite, first "
                        f"{split.guids[bad[0]]}; the model diverged: train it anew")  # fmt: skip
    return everything
