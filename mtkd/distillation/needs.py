"""What a loss reads of a model's forward pass, and what a model has to show."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from mtkd.errors import EncoderError
from mtkd.shown import shown

Positions = Literal["masked", "real"]


@dataclasses.dataclass(frozen=True)
class Needs:
    """What is read of one forward pass; nothing else is computed or kept.

    words: of the masked-language head, at masked positions or at all real tokens. hidden: hidden
    states by number, 0 the embeddings. attention: layers, from 1, whose queries and keys
    are read; values: those of them whose values are read too. embeddings: of each text, by so many
    draws of dropout.
    """

    words: Positions | None = None
    hidden: frozenset[int] = frozenset()
    attention: frozenset[int] = frozenset()
    values: frozenset[int] = frozenset()
    embeddings: int = 0

    def __or__(self, other: Needs) -> Needs:
        """Return what either reads."""
        both = (self.words, other.words)
        return Needs(
            "real" if "real" in both else "masked" if "masked" in both else None,
            self.hidden | other.hidden,
            self.attention | other.attention,
            self.values | other.values,
            max(self.embeddings, other.embeddings),
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


def shape_of(config: Mapping[str, Any], where: str = "config.json") -> Shape:
    """Return the measures in a config.json.

    Args: where: what to call it in messages.
    Raises: EncoderError: a measure is not there, or is none.
    """
    found = {}
    for name, keys in _KEYS.items():
        key = next((key for key in keys if key in config), None)
        if key is None:
            raise EncoderError(f"{where}: expected a key {' or '.join(keys)}, found none; copy "
                               "the file again")  # fmt: skip
        value = config[key]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise EncoderError(f"{where}: {key}: expected a whole number of 1 or more, found "
                               f"{shown(value)}")  # fmt: skip
        found[name] = value
    shape = Shape(**found)
    if shape.width % shape.heads:
        raise EncoderError(f"{where}: {shape.heads} attention heads do not divide a width of "
                           f"{shape.width}")  # fmt: skip
    return shape
