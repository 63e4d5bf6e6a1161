"""Rows of token ids to padded tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

_PAD_TO = 8  # lengths are rounded up to this: fewer shapes, and what matrix units like


def padded_length(longest: int) -> int:
    """Return the tokens of each row in a batch whose longest row has `longest`."""
    return -(-longest // _PAD_TO) * _PAD_TO


def collate(columns: Mapping[str, Sequence[Sequence[int]]], pad_token_id: int) -> dict[str, Tensor]:
    """Pad the columns of one batch to its longest row, rounded up to a multiple of 8.

    Args: columns: `input_ids`, `segments` (0 special, 1 first text, 2 second text) and what else
        the tokenizer gives (`token_type_ids`), each a list of rows.
    Returns: the same columns as (batch, tokens) int64 tensors, and `attention_mask` (1 for real
        tokens).
    """
    rows = columns["input_ids"]
    width = padded_length(max(len(row) for row in rows))
    mask = torch.zeros((len(rows), width), dtype=torch.int64)
    for i, row in enumerate(rows):
        mask[i, : len(row)] = 1
    batch = {"attention_mask": mask}
    for name, column in columns.items():
        padded = torch.full((len(rows), width), pad_token_id if name == "input_ids" else 0)
        for i, row in enumerate(column):
            padded[i, : len(row)] = torch.as_tensor(row)
        batch[name] = padded
    return batch
