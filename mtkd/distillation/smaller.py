"""A smaller encoder made of a larger one's layers, as a checkpoint of transformers' own classes."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForMaskedLM, DistilBertConfig, PreTrainedModel

from mtkd.errors import RecipeError
from mtkd.recipe import SmallerEncoder

_LAYER = re.compile(r"^(.*\.layers?\.)(\d+)(\..*)$")

# Where weights of a BERT's layer and of its masked-language head stand in a DistilBERT.
_IN_LAYER = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}
_TRANSFORM = {
    "cls.predictions.transform.dense": "vocab_transform",
    "cls.predictions.transform.LayerNorm": "vocab_layer_norm",
}
_EPS = 1e-12  # of DistilBERT's LayerNorms, whatever the config says


def chosen_layers(settings: SmallerEncoder, teacher: int) -> tuple[int, ...]:
    """Return which of the teacher's layers, from 0, the student starts with.

    Raises: RecipeError: layers that it does not have.
    """
    if isinstance(settings.layers, tuple):
        if settings.layers[-1] >= teacher:
            raise RecipeError(f"student.layers: {settings.layers[-1]}, of {teacher} layers counted "
                              "from 0")  # fmt: skip
        return settings.layers
    count = settings.layers
    if count > teacher:
        raise RecipeError(f"student.layers: {count}, but the teacher has {teacher}")
    if settings.keep == "first":
        return tuple(range(count))
    if settings.keep == "last":
        return tuple(range(teacher - count, teacher))
    if count == 1:
        return (0,)
    return tuple(round(i * (teacher - 1) / (count - 1)) for i in range(count))


def architecture_of(settings: SmallerEncoder, teacher: Mapping[str, Any]) -> str:
    """Return "distilbert" or "same", given the teacher's config.

    Raises: RecipeError: "distilbert" of what it cannot be made of.
    """
    fault = _not_distilbert(teacher)
    if settings.architecture == "distilbert" and fault:
        raise RecipeError(f"student.architecture: distilbert: {fault}; use same")
    if settings.official and (fault or settings.architecture == "same"):
        raise RecipeError("student.official: is about how DistilBERT was released: "
                          f"{fault or 'student.architecture is same'}; leave it out")  # fmt: skip
    return "same" if fault or settings.architecture == "same" else "distilbert"


def _not_distilbert(teacher: Mapping[str, Any]) -> str | None:
    if teacher.get("model_type") != "bert":
        return f"the teacher is a {teacher.get('model_type')}, and it is made of a BERT"
    if teacher.get("hidden_act", "gelu") not in ("gelu", "relu"):
        return f"it has no {teacher['hidden_act']}"
    if teacher.get("layer_norm_eps", _EPS) != _EPS:
        return f"its layer_norm_eps is {_EPS:g}, the teacher's {teacher['layer_norm_eps']:g}"
    return None


def smaller_encoder(
    teacher: PreTrainedModel, settings: SmallerEncoder, seed: int
) -> PreTrainedModel:
    """Return a student with some of the teacher's layers, and all that stands around them.

    With all layers it gives the teacher's logits, to rounding, but for `official`: what DistilBERT
    has no place for, the type of the first text, which BERT adds at every position, is added to the
    position embeddings. What is not copied is drawn from `seed`.

    Source: Sanh et al. 2019 (DistilBERT, arXiv 1910.01108), section 3.
    """
    config = teacher.config
    layers = chosen_layers(settings, config.num_hidden_layers)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if architecture_of(settings, config.to_dict()) == "distilbert":
            student = AutoModelForMaskedLM.from_config(_distilbert_config(config, len(layers)))
            weights = _distilbert_weights(teacher.state_dict(), layers, settings.official)
        else:
            own = copy.deepcopy(config)
            own.num_hidden_layers = len(layers)
            student = AutoModelForMaskedLM.from_config(own)
            weights = _renumbered(teacher.state_dict(), layers)
    if settings.start == "teacher":
        _copy(weights, student, may_lack=("vocab_transform.", "vocab_layer_norm."))
    student.tie_weights()
    return student.eval()


def _copy(
    weights: Mapping[str, Tensor], student: PreTrainedModel, may_lack: tuple[str, ...]
) -> None:
    own = student.state_dict()
    lacking = [n for n in own if n not in weights and not n.startswith(may_lack)]
    assert not lacking, f"nothing says what {lacking} of the student is to be"
    student.load_state_dict({n: t for n, t in weights.items() if n in own}, strict=False)


def _renumbered(weights: Mapping[str, Tensor], layers: Sequence[int]) -> dict[str, Tensor]:
    """Return the weights of some layers, under their new numbers, and all others."""
    number = {str(old): new for new, old in enumerate(layers)}
    found = {}
    for name, tensor in weights.items():
        match = _LAYER.match(name)
        if match is None:
            found[name] = tensor
        elif match[2] in number:
            found[f"{match[1]}{number[match[2]]}{match[3]}"] = tensor
    return found


def _distilbert_config(teacher: Any, layers: int) -> DistilBertConfig:
    return DistilBertConfig(
        vocab_size=teacher.vocab_size,
        max_position_embeddings=teacher.max_position_embeddings,
        dim=teacher.hidden_size,
        hidden_dim=teacher.intermediate_size,
        n_layers=layers,
        n_heads=teacher.num_attention_heads,
        activation=teacher.hidden_act,
        dropout=teacher.hidden_dropout_prob,
        attention_dropout=teacher.attention_probs_dropout_prob,
        initializer_range=teacher.initializer_range,
        pad_token_id=teacher.pad_token_id,
        sinusoidal_pos_embds=False,
    )


def _distilbert_weights(
    bert: Mapping[str, Tensor], layers: Sequence[int], official: bool
) -> dict[str, Tensor]:
    words = bert["bert.embeddings.word_embeddings.weight"]
    positions = bert["bert.embeddings.position_embeddings.weight"]
    if not official:
        positions = positions + bert["bert.embeddings.token_type_embeddings.weight"][0]
    found = {
        "distilbert.embeddings.word_embeddings.weight": words,
        "distilbert.embeddings.position_embeddings.weight": positions,
        "vocab_projector.weight": words,
        "vocab_projector.bias": bert["cls.predictions.bias"],
    }
    parts = {"bert.embeddings.LayerNorm": "distilbert.embeddings.LayerNorm"}
    for new, old in enumerate(layers):
        for theirs, ours in _IN_LAYER.items():
            parts[f"bert.encoder.layer.{old}.{theirs}"] = (
                f"distilbert.transformer.layer.{new}.{ours}"
            )
    if not official:
        parts |= _TRANSFORM
    for theirs, ours in parts.items():
        for kind in ("weight", "bias"):
            found[f"{ours}.{kind}"] = bert[f"{theirs}.{kind}"]
    return found
