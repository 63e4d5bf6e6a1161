"""Queries, keys and values as an encoder's attention sees them, noted on the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Heads:
    """One layer's queries, keys and, where asked for, values: each (batch, heads, tokens, size)."""

    query: Tensor
    key: Tensor
    value: Tensor | None


@dataclasses.dataclass
class Noted:
    """What was noted of one forward pass.

    wanted: layers, from 1; values: those of them whose values are wanted too. seen: how many layers
    there were.
    """

    wanted: Collection[int]
    values: Collection[int]
    heads: dict[int, Heads] = dataclasses.field(default_factory=dict)
    seen: int = 0


_noted: Noted | None = None  # no context variable, since torch.compile cannot look into one


@contextmanager
def noting_attention(layers: Collection[int], values: Collection[int] = ()) -> Iterator[Noted]:
    """Note what some layers see, of encoders with our attention, within one forward pass.

    Layers that are run again in the backward pass, which comes after, add nothing.
    """
    global _noted
    before, _noted = _noted, Noted(layers, values) if layers else None
    try:
        yield _noted or Noted(layers, values)
    finally:
        _noted = before


def note(query: Tensor, key: Tensor, value: Tensor) -> None:
    """Note the next layer's, where somebody has asked for it."""
    if _noted is not None:
        _noted.seen += 1
        if _noted.seen in _noted.wanted:
            kept = value if _noted.seen in _noted.values else None
            _noted.heads[_noted.seen] = Heads(query, key, kept)
