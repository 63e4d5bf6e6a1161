"""From a sequence's token vectors to the one vector that a head reads."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

Pooling = Literal["first", "mean"]


def pool(hidden: Tensor, pooled: Tensor | None, mask: Tensor, how: Pooling) -> Tensor:
    """One vector a row.

    "first" is the encoder's own pooled first token (BERT: a dense layer and tanh on [CLS]), or the
    first token's last hidden state where the encoder has no pooler; it takes rows padded on the
    right. "mean" is the mean over real tokens, [CLS] and [SEP] included, as in
    sentence-transformers.

    Args:
        hidden: last hidden states, (batch, tokens, hidden_size).
        pooled: the encoder's pooled first token, (batch, hidden_size), or None.
        mask: 1 for real tokens, 0 for pads, (batch, tokens).
        how: "first" or "mean".

    Returns: (batch, hidden_size).
    Raises: ValueError: when `how` is neither.
    """
    if how == "first":
        return hidden[:, 0] if pooled is None else pooled
    if how == "mean":
        real = mask.bool()
        total = hidden.masked_fill(~real.unsqueeze(-1), 0.0).sum(dim=1)
        return total / real.sum(dim=1, keepdim=True).clamp(min=1)
    raise ValueError(f"pooling: expected 'first' or 'mean', got {how!r}")
