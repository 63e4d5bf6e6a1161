"""From a prepared split to logits, in the order of its rows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtkd.batching import ahead, inference_batches
from mtkd.devices import moved
from mtkd.errors import RunFailed
from mtkd.examples.prepared import PreparedSplit
from mtkd.model import MultiTaskModel
from mtkd.progress import progress_bar
from mtkd.sharding import is_sharded
from mtkd.signals import stop_if_asked

if TYPE_CHECKING:
    from accelerate import Accelerator

log = logging.getLogger(__name__)

CPU_TOKENS = 512  # of one forward pass, a thread: what is computed on stays in the core's cache
GPU_TOKENS = 65_536  # at first in every call; halved while it does not fit
SHARED_GPU_TOKENS = 16_384  # of several processes, which would have to agree on halving


@torch.no_grad()  # inference mode would mark the buffers of a model that trains on
def predict(
    model: MultiTaskModel,
    task: str,
    split: PreparedSplit,
    accelerator: Accelerator,
    progress: str | None = None,
    rows: NDArray[np.int64] | None = None,
    most_tokens: int | None = None,
    halved: Callable[[int], object] = lambda tokens: None,
) -> NDArray[np.float32]:
    """Return the raw logits of every row, (rows, outputs), in file order.

    Rows of like length go together; with several processes each takes a share and all get all.
    Which rows go together follows from their lengths, the device and the number of threads and
    processes, not from what was scored before, so that a run that goes on scores as it would have
    in one go. A GPU without room for that takes fewer rows at once, in this call alone, and a
    warning says so: logits then differ in their last digits from those found with more room.

    Args: progress: what the progress bar says; None for no bar. rows: numbers of the rows wanted,
        whose logits come in that order; None for all. most_tokens: that are taken at once, where a
        call before found that no more fit. halved: told how many do, each time that fewer are.
    Raises: RunFailed: when a logit is NaN or infinite, naming the first such row.
    """
    model.eval()
    if not is_sharded(model):
        model.to(accelerator.device)
    rows = np.arange(len(split)) if rows is None else rows
    on_cpu = accelerator.device.type == "cpu"
    if on_cpu:
        max_tokens = CPU_TOKENS * torch.get_num_threads()
    elif accelerator.num_processes > 1:
        max_tokens = SHARED_GPU_TOKENS
    else:
        max_tokens = GPU_TOKENS
    max_tokens = min(max_tokens, most_tokens or max_tokens)
    while True:
        try:
            found = _predict(model, task, split, accelerator, progress, rows, max_tokens)
            break
        except torch.OutOfMemoryError:  # the longest rows come first: early, or not at all
            # of several processes each would cut its own way, and rows would be left out
            if accelerator.num_processes > 1 or max_tokens < split.lengths[rows].max():
                raise
        max_tokens //= 2
        halved(max_tokens)
        torch.cuda.empty_cache()
        log.warning("%s: scores %d tokens at once, since %d do not fit; the last digits may differ "
                    "from those on a device with more memory", task, max_tokens,
                    2 * max_tokens)  # fmt: skip
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


def _predict(
    model: MultiTaskModel,
    task: str,
    split: PreparedSplit,
    accelerator: Accelerator,
    progress: str | None,
    rows: NDArray[np.int64],
    max_tokens: int,
) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Return the places in `rows`, and their logits, of this process's share of the batches."""

    def make(places: NDArray[np.int64]) -> tuple[NDArray[np.int64], dict[str, Tensor]]:
        batch = split.batch(rows[places])
        return places, {name: moved(t, accelerator.device) for name, t in batch.items()}

    batches = inference_batches(split.lengths[rows], max_tokens)
    if spare := -len(batches) % accelerator.num_processes:
        # none may stop early: all parts of a sharded model are needed for every batch
        batches = batches + batches[-1:] * spare
    mine = batches[accelerator.process_index :: accelerator.num_processes]
    shown = progress is not None and accelerator.is_local_main_process
    found: list[tuple[NDArray[np.int64], Tensor]] = []
    with (
        progress_bar(len(mine), progress or "", "batch", shown=shown) as bar,
        accelerator.autocast(),  # around all batches: weights are cast once
    ):
        for places, inputs in ahead(make, mine):
            found.append((places, model(task, **inputs)))
            bar.update()
            stop_if_asked()
    return [(places, logits.cpu().numpy()) for places, logits in found]  # only now does a GPU wait
