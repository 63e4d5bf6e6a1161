"""Task heads: from an encoder's output to logits.

Each head is called as `head(hidden, pooled, mask, segments) -> logits`, with

- hidden: the encoder's last hidden states, (batch, tokens, hidden_size);
- pooled: the encoder's own pooled first token, (batch, hidden_size), or None where it has none;
- mask: 1 for real tokens, 0 for pads, (batch, tokens), bool or int;
- segments: 0 for special and pad tokens, 1 for the first text, 2 for the second, (batch, tokens);
- logits: (batch, outputs); one output means regression.
"""

from __future__ import annotations

from torch import nn

from mtkd.errors import did_you_mean
from mtkd.heads.linear import LinearHead
from mtkd.heads.pooling import Pooling, pool
from mtkd.heads.ranking import RankingHead
from mtkd.heads.san import SanHead

__all__ = ["HEAD_TYPES", "LinearHead", "Pooling", "RankingHead", "SanHead", "build_head", "pool"]

HEAD_TYPES = ("linear", "san", "ranking")


def build_head(
    type: str,
    *,
    hidden_size: int,
    outputs: int,
    dropout: float,
    pooling: Pooling,
    steps: int,
    step_dropout: float,
    positive: int | None,
) -> nn.Module:
    """Build a head with new weights, drawn from torch's global generator.

    Args:
        type: one of `HEAD_TYPES`.
        hidden_size: width of the encoder.
        outputs: number of classes, or 1 for regression.
        dropout: probability of dropping an element of the head's input in training.
        pooling: "first" or "mean"; read by linear and ranking.
        steps, step_dropout: reasoning steps, and the share dropped in training; read by san.
        positive: index of the class that means "relevant"; read by ranking, else None will do.

    Raises: ValueError: when the type is unknown or does not go with the other arguments.
    """
    if outputs < 1:
        raise ValueError(f"a head needs outputs >= 1 (1 is regression), got {outputs}")
    if type == "linear":
        return LinearHead(hidden_size, outputs, dropout, pooling)
    if type == "san":
        return SanHead(hidden_size, outputs, dropout, steps, step_dropout)
    if type == "ranking":
        if positive is None:
            raise ValueError("a ranking head needs positive, the index of the relevant class")
        return RankingHead(hidden_size, dropout, pooling, positive, outputs)
    known = ", ".join(HEAD_TYPES)
    raise ValueError(f"head type {type!r}: expected one of {known}{did_you_mean(type, HEAD_TYPES)}")
