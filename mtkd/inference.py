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
    rows: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """Return the raw logits of every row, (rows, outputs), in file order.

    Rows of like length go together; with several processes each takes a share and all get all.

    Args: progress: what the progress bar says; None for no bar. rows: numbers of the rows wanted,
        whose logits come in that order; None for all.
    Raises: RunFailed: when a logit is NaN or infinite, naming the first such row.
    """
    model.to(accelerator.device).eval()
    rows = np.arange(len(split)) if rows is None else rows
    batches = inference_batches(split.lengths[rows], MAX_TOKENS)
    mine = batches[accelerator.process_index :: accelerator.num_processes]
    found: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
    shown = progress is not None and accelerator.is_local_main_process
    with progress_bar(len(mine), progress or "", "batch", shown=shown) as bar:
        for places in mine:
            batch = split.batch(rows[places])
            inputs = {name: t.to(accelerator.device) for name, t in batch.items()}
            with accelerator.autocast():
                logits = model(task, **inputs)
            found.append((places, logits.cpu().numpy()))
            bar.update()
    if accelerator.num_processes > 1:
        from accelerate.utils import gather_object

        found = gather_object(found)
    outputs = model.head_configs[task]["outputs"]
    everything = np.full((len(rows), outputs), np.nan, dtype=np.float32)
    for places, logits in found:
        everything[places] = logits
    bad = np.flatnonzero(~np.isfinite(everything).all(axis=1))
    if len(bad):
        first = split.guids[rows[bad[0]]]
        raise RunFailed(f"{len(bad)} rows have logits that are not finite, first {first}; the "
                        "model diverged: train it anew")  # fmt: skip
    return everything
