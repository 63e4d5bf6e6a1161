"""Attention on a CPU, where torch's fused kernels know no dropout and are slow on short rows.

With dropout torch falls back to a kernel that looks for rows without any key in each product, and
draws its numbers slowly. Everywhere else this is transformers' own SDPA attention.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    MODEL_MAPPING,
    AttentionInterface,
    AttentionMaskInterface,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from mtkd.layers.dropout import dropout as fast_dropout
from mtkd.layers.noting import note
from mtkd.layers.unpadded import attend_within_rows

_NAME = "mtkd"
_LAYERS_SEE_ALL = ("albert", "bert", "camembert", "distilbert", "electra", "ernie", "roberta",
                   "xlm-roberta")  # fmt: skip
_OF_THE_MODEL = {"output_hidden_states"}  # which it hands down to its layers
_VECTOR = 16  # numbers that the processor takes at once; of fewer, torch's softmax is slow
_SHORT = 128  # tokens up to which products and a softmax are faster than the fused kernel


def use_fast_attention(encoder: PreTrainedModel) -> None:
    """Let `encoder` use `attention` where it uses SDPA through transformers' interface."""
    if encoder.config._attn_implementation == "sdpa" and encoder._supports_attention_backend:
        encoder.set_attn_implementation(_NAME)


def shows_attention(config: PreTrainedConfig) -> bool:
    """Return whether encoders of a configuration can be seen through at their attention."""
    found = MODEL_MAPPING.get(type(config), None)
    kinds = found if isinstance(found, tuple) else (found,)
    return all(k is not None and k._supports_attention_backend and k._supports_sdpa for k in kinds)


def key_mask(encoder: PreTrainedModel, attention_mask: Tensor) -> Tensor | None:
    """Return a mask, (batch, tokens), 1 for real tokens, as `attention` takes it.

    transformers would make it too, but looks in each batch whether there is any padding, for which
    a GPU has to wait. Here a CPU looks, and a GPU does not.

    Returns: bool, (batch, 1, 1, tokens); None on a CPU where nothing is padded. As it was given for
        encoders with another attention, or whose layers differ in what they see.
    """
    kind = encoder.config.model_type
    plain = kind in _LAYERS_SEE_ALL and not getattr(encoder.config, "is_decoder", False)
    if encoder.config._attn_implementation != _NAME or not plain:
        return attention_mask
    mask = attention_mask.bool()
    if mask.device.type == "cpu" and bool(mask.all()):
        return None
    return mask[:, None, None, :]


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """softmax(scaling * query key^T) value, with dropout on the softmax (transformers' interface).

    Args: query, key, value: (batch, heads, tokens, size). attention_mask: bool, True where a query
        may look, broadcast to (batch, heads, tokens, tokens); None for everywhere. options:
        `cu_seq_lens_q` and `max_length_q` where rows stand one after another; see `run_unpadded`.
    Returns: (batch, tokens, heads, size), and None for the weights.
    """
    note(query, key, value)
    if options.get("cu_seq_lens_q") is not None:
        offsets, longest = options["cu_seq_lens_q"], options["max_length_q"]
        mixed = attend_within_rows(query, key, value, offsets, longest, dropout, scaling)
        return mixed, None
    known = (
        query.device.type == "cpu"
        and (dropout > 0 or query.size(2) <= _SHORT)
        and query.shape == key.shape
        and not getattr(module, "is_causal", True)
        and all(v is None or v is False for k, v in options.items() if k not in _OF_THE_MODEL)
        and not torch.compiler.is_compiling()
    )
    if scaling is None or not known:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )
    scores = torch.matmul(query * scaling, key.transpose(2, 3))
    if attention_mask is not None:
        hidden = torch.zeros(attention_mask.shape, dtype=scores.dtype)
        scores += hidden.masked_fill_(~attention_mask, torch.finfo(scores.dtype).min)
    precise = torch.float32 if key.size(2) >= _VECTOR else scores.dtype  # three times as fast, too
    weights = scores.softmax(dim=-1, dtype=precise).to(scores.dtype)
    if dropout > 0:
        weights = fast_dropout(weights, dropout)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), None


AttentionInterface.register(_NAME, attention)
AttentionMaskInterface.register(_NAME, sdpa_mask)
