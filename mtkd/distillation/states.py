"""One forward pass of an encoder with a masked-language head, and what it shows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from mtkd.distillation.needs import Needs, Positions
from mtkd.errors import EncoderError
from mtkd.layers import Heads, key_mask, noting_attention


@dataclasses.dataclass(frozen=True)
class States:
    """What a model shows of a batch.

    logits: (positions, vocabulary), `at` masked positions or at all real ones. hidden: by number,
    0 the embeddings, each (batch, tokens, width). attention: queries, keys and values by layer,
    from 1, each (batch, heads, tokens, size).
    """

    logits: Tensor | None
    at: Positions | None
    hidden: Mapping[int, Tensor]
    attention: Mapping[int, Heads]

    def scores(self, layer: int) -> Tensor:
        """Return a layer's attention scores before the softmax, (batch, heads, queries, keys)."""
        found = self.attention[layer]
        return found.query @ found.key.transpose(2, 3) / math.sqrt(found.query.size(-1))


@dataclasses.dataclass(frozen=True)
class MaskedWords:
    """The masked tokens of a batch.

    labels: what they were, (masked,). among: their places among its real tokens, (masked,).
    """

    labels: Tensor
    among: Tensor

    def logits(self, states: States) -> Tensor:
        """Return the logits there, (masked, vocabulary)."""
        assert states.logits is not None
        return states.logits if states.at == "masked" else states.logits[self.among]


def forward(
    model: PreTrainedModel, needs: Needs, inputs: Mapping[str, Tensor], positions: Tensor | None
) -> States:
    """Run a model on padded rows.

    Args:
        model: of transformers, with a masked-language head.
        inputs: `input_ids` and `attention_mask`, (batch, tokens).
        positions: where logits are read, numbers of tokens in the batch laid flat, (positions,).

    Raises: EncoderError: its attention cannot be seen.
    """
    own = {name: tensor for name, tensor in inputs.items() if name != "attention_mask"}
    output, found = encode(encoder_of(model), needs, inputs["attention_mask"], own)
    if needs.logits is None:
        return found
    assert positions is not None
    logits = mlm_logits(model, output.last_hidden_state.flatten(0, 1)[positions])
    return dataclasses.replace(found, logits=logits, at=needs.logits)


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
    return output, States(None, None, hidden, noted.heads)


def encoder_of(model: PreTrainedModel) -> PreTrainedModel:
    """Return the encoder without its masked-language head."""
    encoder = model.base_model
    assert isinstance(encoder, PreTrainedModel)
    return encoder


def depth(model: PreTrainedModel) -> int:
    """Return the number of a model's layers."""
    return int(model.config.num_hidden_layers)


def mlm_logits(model: PreTrainedModel, hidden: Tensor) -> Tensor:
    """Return the masked-language head's logits for some last states, (positions, vocabulary).

    Only of those asked for: the vocabulary's product costs a small encoder as much as its layers.
    """
    return _HEADS[model.config.model_type](model, hidden).float()


def _distilbert(model: Any, hidden: Tensor) -> Tensor:
    transformed = model.activation(model.vocab_transform(hidden))
    return model.vocab_projector(model.vocab_layer_norm(transformed))


_HEADS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "bert": lambda model, hidden: model.cls(hidden),
    "ernie": lambda model, hidden: model.cls(hidden),
    "distilbert": _distilbert,
    "electra": lambda m, hidden: m.generator_lm_head(m.generator_predictions(hidden)),
    "roberta": lambda model, hidden: model.lm_head(hidden),
    "xlm-roberta": lambda model, hidden: model.lm_head(hidden),
    "camembert": lambda model, hidden: model.lm_head(hidden),
    "modernbert": lambda model, hidden: model.decoder(model.head(hidden)),
}
HAVE_MLM_HEAD = tuple(sorted(_HEADS))
