"""An encoder run on rows one after another, with no padding between them."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel

from mtkd.errors import EncoderError

_POSITIONS_FROM_0 = ("bert", "electra", "ernie")
_POSITIONS_AFTER_PAD = ("roberta", "xlm-roberta", "camembert")


def check_unpadded(encoder: PreTrainedModel) -> None:
    """Refuse an encoder that cannot be run without padding.

    Raises: EncoderError: it is of another kind, or uses another attention.
    """
    kind = encoder.config.model_type
    known = (*_POSITIONS_FROM_0, *_POSITIONS_AFTER_PAD)
    decoder = getattr(encoder.config, "is_decoder", False)
    if kind not in known or decoder or encoder.config._attn_implementation != "mtkd":
        raise EncoderError(f"training.unpad: a {kind} encoder cannot be run without padding; known "
                           f"are {', '.join(known)}: leave the key out")  # fmt: skip


def run_unpadded(
    encoder: PreTrainedModel, attention_mask: Tensor, inputs: dict[str, Tensor]
) -> Tensor:
    """Return the last hidden states, (batch, tokens, hidden_size), 0 where rows are padded.

    Each layer sees real tokens only, in one row of all of them; attention is kept within a row by
    `attend_within_rows`.

    Args: attention_mask: 1 for real tokens, rows padded on the right, (batch, tokens). inputs:
        `input_ids` and what else the encoder takes, each (batch, tokens).
    """
    real = attention_mask.bool()
    places = torch.arange(real.size(1), device=real.device).expand_as(real)
    offsets = F.pad(attention_mask.sum(dim=1).cumsum(0), (1, 0))
    flat = {name: tensor[real].unsqueeze(0) for name, tensor in inputs.items()}
    after_pad = encoder.config.model_type in _POSITIONS_AFTER_PAD
    first = encoder.config.pad_token_id + 1 if after_pad else 0
    output = encoder(
        position_ids=(places[real] + first).unsqueeze(0),
        cu_seq_lens_q=offsets,
        max_length_q=real.size(1),
        **flat,
    )
    hidden = output.last_hidden_state.squeeze(0)
    padded = hidden.new_zeros(*real.shape, hidden.size(-1))
    return padded.masked_scatter(real.unsqueeze(-1), hidden)


def attend_within_rows(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    offsets: Tensor,
    longest: int,
    dropout: float,
    scaling: float | None,
) -> Tensor:
    """softmax(scaling * query key^T) value within each row, by torch's jagged tensors.

    On a GPU, in bf16, that is flash attention of variable length; elsewhere a plain product.

    Args: query, key, value: (1, heads, all tokens, size). offsets: where rows begin, and the end,
        (rows + 1,). longest: bound on the tokens of a row.
    Returns: (1, all tokens, heads, size).
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The PyTorch API of nested tensors", UserWarning)
        queries, keys, values = (
            torch.nested.nested_tensor_from_jagged(
                tensor[0].transpose(0, 1).contiguous(), offsets, min_seqlen=1, max_seqlen=longest
            ).transpose(1, 2)
            for tensor in (query, key, value)
        )
        mixed = F.scaled_dot_product_attention(
            queries, keys, values, dropout_p=dropout, scale=scaling
        )
    return mixed.transpose(1, 2).values().unsqueeze(0)
