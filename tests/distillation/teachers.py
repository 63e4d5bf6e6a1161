"""Tiny teachers with masked-language heads, whose every weight is drawn."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import (
    AutoModelForMaskedLM,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    ErnieConfig,
    ModernBertConfig,
    PreTrainedConfig,
    PreTrainedModel,
    RobertaConfig,
)

from mtkd.distillation import WordHead

WORDS, WIDTH, HEADS, NEURONS, POSITIONS = 60, 32, 4, 48, 40

_SAME: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "intermediate_size": NEURONS,
    "max_position_embeddings": POSITIONS,
    "pad_token_id": 0,
}
_KINDS: dict[str, tuple[type[PreTrainedConfig], dict[str, Any]]] = {
    "bert": (BertConfig, _SAME),
    "ernie": (ErnieConfig, _SAME),
    "roberta": (RobertaConfig, _SAME),
    "electra": (ElectraConfig, {**_SAME, "embedding_size": 16}),
    "distilbert": (
        DistilBertConfig,
        {"vocab_size": WORDS, "dim": WIDTH, "n_heads": HEADS, "hidden_dim": NEURONS,
         "max_position_embeddings": POSITIONS},
    ),
    "modernbert": (
        ModernBertConfig,
        {**_SAME, "local_attention": 4, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1,
         "sep_token_id": 2},
    ),
}  # fmt: skip
KINDS = tuple(_KINDS)


def make_teacher(kind: str, layers: int, **changes: Any) -> PreTrainedModel:
    """Return a teacher in which no bias is zero and no gain one, so that none can be forgotten."""
    config_class, settings = _KINDS[kind]
    config = config_class(**{**settings, "num_hidden_layers": layers, **changes})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForMaskedLM.from_config(config)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                scale = 0.05 if name.endswith("embeddings.weight") else 0.2
                drawn = scale * torch.randn(weight.shape)
                is_gain = "norm.weight" in name.lower()
                weight.copy_(1 + drawn if is_gain else drawn)
    model.tie_weights()
    return model.eval()


def logits_of(head: WordHead) -> Tensor:
    """Return the logits of all tokens, (tokens, vocabulary)."""
    return functional.linear(head.states, head.matrix, head.bias)
