"""How long encoders take for a batch, side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from mtkd.examples.prepared import PreparedSplit

BATCHES = (1, 32)  # rows: one user waits, or many rows are there
_REPEATS, _WARM_UP = 15, 3


def forward_times(
    encoders: Mapping[str, nn.Module], rows: PreparedSplit, device: torch.device
) -> dict[str, dict[str, float]]:
    """Return the median milliseconds of a forward pass in float32, by encoder and rows in a batch.

    Of rows of middle length. Encoders are taken in turn, so that what else the machine does falls
    on all of them; they have to share a vocabulary.
    """
    for encoder in encoders.values():
        encoder.to(device).eval()
    order = np.argsort(rows.lengths, kind="stable")
    found: dict[str, dict[str, float]] = {name: {} for name in encoders}
    for size in BATCHES:
        middle = max(0, (len(order) - size) // 2)
        batch = rows.batch(np.resize(order[middle : middle + size], size))
        inputs = {key: batch[key].to(device) for key in ("input_ids", "attention_mask")}
        times: dict[str, list[float]] = {name: [] for name in encoders}
        for _ in range(_WARM_UP + _REPEATS):
            for name, encoder in encoders.items():
                times[name].append(_time(encoder, inputs, device))
        for name, taken in times.items():
            found[name][str(size)] = round(1000 * statistics.median(taken[_WARM_UP:]), 3)
    return found


@torch.inference_mode()
def _time(encoder: nn.Module, inputs: Mapping[str, Tensor], device: torch.device) -> float:
    start = time.perf_counter()
    encoder(**inputs)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
