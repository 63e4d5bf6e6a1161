"""The arithmetic that an encoder cannot do without, and how fast the machine multiplies."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.machine import clock

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

TRAINING = 3  # a linear layer's backward pass is two more products of the same size


@dataclasses.dataclass(frozen=True)
class Shape:
    """What of an encoder counts: layers, width, and width of the feed-forward part."""

    layers: int
    width: int
    inner: int

    @property
    def linear(self) -> tuple[tuple[int, int], ...]:
        """Return (inputs, outputs) of each linear layer of one encoder layer."""
        w = self.width
        return ((w, w), (w, w), (w, w), (w, w), (w, self.inner), (self.inner, w))


@dataclasses.dataclass(frozen=True)
class Product:
    """Linear layers beside those of an encoder, as (inputs, outputs)."""

    linear: tuple[tuple[int, int], ...]


def forward_flops(shape: Shape, lengths: NDArray[np.int64]) -> float:
    """Return the FLOPs of one forward pass over rows of these lengths, without padding.

    Two a multiply-add. Counted: the linear layers on every real token, and both attention products
    on each row's own length. Not counted: embeddings, LayerNorm, GELU, softmax, heads.
    """
    tokens = float(lengths.sum())
    linear = 2.0 * tokens * sum(i * o for i, o in shape.linear)
    attention = 2.0 * 2.0 * shape.width * float((lengths.astype(np.float64) ** 2).sum())
    return shape.layers * (linear + attention)


def matrix_rate(
    shape: Shape | Product,
    tokens: int,
    dtype: torch.dtype,
    device: str,
    *,
    training: bool,
    times: int,
) -> float:
    """Return FLOPs a second of `torch.mm` at the shapes of linear layers.

    Args: tokens: of a batch. training: with both products of the backward pass. times: each
        product is timed so often, and the median taken.
    Returns: all products' FLOPs over the sum of their times, which is the harmonic mean weighted
        by FLOPs.
    """
    import torch

    flops = seconds = 0.0
    for inputs, outputs in shape.linear:
        x = torch.randn(tokens, inputs, device=device).to(dtype)
        w = torch.randn(outputs, inputs, device=device).to(dtype)
        gradient = torch.randn(tokens, outputs, device=device).to(dtype)
        products = [(x, w.t())]
        if training:
            products += [(gradient, w), (gradient.t(), x)]
        for a, b in products:
            flops += 2.0 * a.shape[0] * a.shape[1] * b.shape[1]
            seconds += _median_seconds(a, b, times)
    return flops / seconds


def batch_tokens(lengths: Iterable[NDArray[np.int64]], rows: int) -> int:
    """Return the median number of real tokens in batches of so many rows of like length.

    Args: lengths: of every task's rows; a batch is of one task.
    """
    counts = [
        int(each[start : start + rows].sum())
        for each in map(np.sort, lengths)
        for start in range(0, len(each), rows)
    ]
    return int(statistics.median(counts))


def _median_seconds(a: torch.Tensor, b: torch.Tensor, times: int) -> float:
    import torch

    torch.mm(a, b)
    found = []
    for _ in range(times):
        started = clock()
        torch.mm(a, b)
        found.append(clock() - started)
    return statistics.median(found)
