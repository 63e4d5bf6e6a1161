"""One forward pass of an encoder with a masked-language head, and what it shows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from mtkd.distillation.needs import Needs
from mtkd.errors import EncoderError
from mtkd.layers import Heads, key_mask, noting_attention
from mtkd.losses.precision import precise

_Parts = tuple[Callable[[Tensor], Tensor], nn.Linear]  # what comes before all words, and they


@dataclasses.dataclass(frozen=True)
class WordHead:
    """What a masked-language head makes of some tokens, before the product with all words.

    states: (tokens, width). matrix: (vocabulary, width). bias: (vocabulary,), or None.
    """

    states: Tensor
    matrix: Tensor
    bias: Tensor | None

    def in_use(self) -> WordHead:
        """Return it in autocast's number format, if that is on, so that it is cast but once."""
        device = self.states.device.type
        if not torch.is_autocast_enabled(device):
            return self
        low = torch.get_autocast_dtype(device)
        bias = None if self.bias is None else self.bias.to(low)
        return WordHead(self.states.to(low), self.matrix.to(low), bias)


@dataclasses.dataclass(frozen=True)
class States:
    """What a model shows of a batch.

    words: at masked positions or at all real ones. hidden: by number, 0 the embeddings, each
    (batch, tokens, width). attention: queries, keys and values by layer, from 1, each (batch,
    heads, tokens, size).
    """

    words: WordHead | None
    hidden: Mapping[int, Tensor]
    attention: Mapping[int, Heads]

    def of_rows(self, count: int) -> States:
        """Return those of the first rows of the batch."""
        heads = {
            layer: Heads(found.query[:count], found.key[:count],
                         None if found.value is None else found.value[:count])
            for layer, found in self.attention.items()
        }  # fmt: skip
        hidden = {number: states[:count] for number, states in self.hidden.items()}
        return States(self.words, hidden, heads)

    def scores(self, layer: int) -> Tensor:
        """Return a layer's attention scores before the softmax, (batch, heads, queries, keys)."""
        found = self.attention[layer]
        query, key = precise(found.query), precise(found.key)
        return query @ key.transpose(2, 3) / math.sqrt(query.size(-1))


def forward(
    model: PreTrainedModel, needs: Needs, inputs: Mapping[str, Tensor], positions: Tensor | None
) -> States:
    """Run a model on padded rows.

    Args:
        model: of transformers, with a masked-language head.
        inputs: `input_ids` and `attention_mask`, (batch, tokens).
        positions: of the tokens whose words are asked for, in the batch laid flat, (positions,).

    Raises: EncoderError: its attention cannot be seen.
    """
    own = {name: tensor for name, tensor in inputs.items() if name != "attention_mask"}
    output, found = encode(encoder_of(model), needs, inputs["attention_mask"], own)
    if needs.words is None:
        return found
    assert positions is not None
    words = word_head(model, output.last_hidden_state.flatten(0, 1)[positions])
    return dataclasses.replace(found, words=words)


def encode(
    encoder: PreTrainedModel, needs: Needs, attention_mask: Tensor, inputs: Mapping[str, Tensor]
) -> tuple[Any, States]:
    """Run an encoder on padded rows; return its own output, and what is needed of it.

    Args: attention_mask: 1 for real tokens, (batch, tokens). inputs: `input_ids` and what else the
        encoder takes.
    Raises: EncoderError: its attention cannot be seen.
    """
    layers = depth(encoder)
    between = any(number != layers for number in needs.hidden)
    with noting_attention(needs.attention, needs.values) as noted:
        mask = key_mask(encoder, attention_mask)
        output = encoder(attention_mask=mask, output_hidden_states=between, **inputs)
    last = output.last_hidden_state
    hidden = {n: last if n == layers else output.hidden_states[n] for n in needs.hidden}
    if needs.attention and noted.seen != layers:
        raise EncoderError(f"{encoder.config.model_type}: does not show its queries and keys; "
                           "leave out losses on attention")  # fmt: skip
    return output, States(None, hidden, noted.heads)


def encoder_of(model: PreTrainedModel) -> PreTrainedModel:
    """Return the encoder without its masked-language head."""
    encoder = model.base_model
    assert isinstance(encoder, PreTrainedModel)
    return encoder


def depth(model: PreTrainedModel) -> int:
    """Return the number of a model's layers."""
    return int(model.config.num_hidden_layers)


def word_head(model: PreTrainedModel, hidden: Tensor) -> WordHead:
    """Return what the masked-language head makes of some last states, (tokens, width)."""
    transform, product = _HEADS[model.config.model_type](model)
    return WordHead(transform(hidden), product.weight, product.bias)


def _distilbert(model: Any) -> _Parts:
    def transform(hidden: Tensor) -> Tensor:
        return model.vocab_layer_norm(model.activation(model.vocab_transform(hidden)))

    return transform, model.vocab_projector


def _roberta(model: Any) -> _Parts:
    head = model.lm_head

    def transform(hidden: Tensor) -> Tensor:
        return head.layer_norm(functional.gelu(head.dense(hidden)))

    return transform, head.decoder


def _bert(model: Any) -> _Parts:
    head = model.cls.predictions
    return head.transform, head.decoder


_HEADS: dict[str, Callable[[Any], _Parts]] = {
    "bert": _bert,
    "ernie": _bert,
    "distilbert": _distilbert,
    "electra": lambda model: (model.generator_predictions, model.generator_lm_head),
    "roberta": _roberta,
    "xlm-roberta": _roberta,
    "camembert": _roberta,
    "modernbert": lambda model: (model.head, model.decoder),
}
HAVE_MLM_HEAD = tuple(sorted(_HEADS))
