"""What a loss reads of a model's forward pass, and what a model has to show."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

Positions = Literal["masked", "real"]


@dataclasses.dataclass(frozen=True)
class Needs:
    """What is read of one forward pass; nothing else is computed or kept.

    logits: of the masked-language head, at masked positions or at all real tokens. hidden: hidden
    states by number, 0 the embeddings. attention: layers, from 1, whose queries, keys and values
    are read.
    """

    logits: Positions | None = None
    hidden: frozenset[int] = frozenset()
    attention: frozenset[int] = frozenset()

    def __or__(self, other: Needs) -> Needs:
        """Return what either reads."""
        both = (self.logits, other.logits)
        return Needs(
            "real" if "real" in both else "masked" if "masked" in both else None,
            self.hidden | other.hidden,
            self.attention | other.attention,
        )


@dataclasses.dataclass(frozen=True)
class Shape:
    """A model's measures, as its configuration states them."""

    layers: int
    width: int
    heads: int
    vocabulary: int


_KEYS = {
    "layers": ("num_hidden_layers", "n_layers"),
    "width": ("hidden_size", "dim"),
    "heads": ("num_attention_heads", "n_heads"),
    "vocabulary": ("vocab_size",),
}


def shape_of(config: Mapping[str, Any]) -> Shape:
    """Return the measures in a config.json."""
    found = {
        name: next(int(config[key]) for key in keys if key in config)
        for name, keys in _KEYS.items()
    }
    return Shape(**found)
