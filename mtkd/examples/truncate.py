"""Tokens cut to a length, as the tokenizers library cuts "longest first", in linear memory.

The library keeps what it cuts off, of a pair every piece of one text with every piece of the other:
of two texts of 50,000 tokens, cut at 128, a million pieces.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Encoding


@dataclasses.dataclass(frozen=True, slots=True)
class Tokens:
    """A row's tokens. texts: which text each is of, 0 or 1, None for specials."""

    ids: list[int]
    types: list[int]
    texts: list[int | None]
    is_cut: bool


def truncated(encoding: Encoding, most: int, *, keeps_end: bool) -> Tokens:
    """Return at most `most` tokens, specials included; the longer text loses tokens first.

    Args: encoding: of one text or two, with its specials. keeps_end: whether a text loses its first
        tokens, and not its last.
    """
    ids, types, texts = encoding.ids, encoding.type_ids, encoding.sequence_ids
    if len(ids) <= most:
        return Tokens(ids, types, texts, is_cut=False)
    of = np.array([-1 if text is None else text for text in texts])
    places = [np.flatnonzero(of == text) for text in (0, 1)]
    room = most - int((of == -1).sum())
    kept = of == -1
    for own, count in zip(places, _shares(len(places[0]), len(places[1]), room), strict=True):
        kept[own[len(own) - count :] if keeps_end else own[:count]] = True
    chosen = np.flatnonzero(kept).tolist()
    return Tokens(
        [ids[i] for i in chosen],
        [types[i] for i in chosen],
        [texts[i] for i in chosen],
        is_cut=True,
    )


def _shares(first: int, second: int, room: int) -> tuple[int, int]:
    """Return how many tokens each text keeps, of more than there is room for.

    All where it has no more than half the room; the odd one goes to the longer text.
    """
    short, long = sorted((first, second))
    short = min(short, room // 2)
    long = min(long, room - short)
    return (short, long) if first <= second else (long, short)
