"""A smaller encoder made of a larger one's layers, as a checkpoint of transformers' own classes."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForMaskedLM, DistilBertConfig, PreTrainedModel

from mtkd.distillation.narrower import chosen_width, narrowed_config, narrowed_weights
from mtkd.distillation.needs import Shape, shape_of
from mtkd.encoders import configure
from mtkd.errors import RecipeError
from mtkd.recipe import EncoderSettings, SmallerEncoder

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


def student_shape(settings: SmallerEncoder, teacher: Mapping[str, Any]) -> Shape:
    """Return the measures of the student, given the teacher's config.

    Raises: RecipeError: it cannot be made of this teacher; the key at fault is named.
    """
    shape = shape_of(teacher)
    architecture_of(settings, teacher)
    layers = chosen_layers(settings, shape.layers)
    if teacher.get("model_type") == "modernbert" and layers[0] and settings.start == "teacher":
        # the others normalise what they read; the first reads embeddings, which are normalised
        raise RecipeError(f"student.layers: {layers[0]} would be the first, but a modernbert can "
                          "only begin with layer 0: no first layer has a norm before its "
                          "attention; take layer 0 too")  # fmt: skip
    width = chosen_width(settings.hidden_size, teacher)
    heads = shape.heads * width // shape.width
    return dataclasses.replace(shape, layers=len(layers), width=width, heads=heads)


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
    if teacher.get("is_decoder"):
        return "its attention looks both ways, the teacher's only back"
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
    shape = student_shape(settings, config.to_dict())
    layers = chosen_layers(settings, config.num_hidden_layers)
    own, weights = _fewer_layers(config, layers), _renumbered(teacher.state_dict(), layers)
    if shape.width != config.hidden_size:
        whole, own = own, narrowed_config(own, shape.width)
        weights = narrowed_weights(weights, whole, own)
    if architecture_of(settings, config.to_dict()) == "distilbert":
        weights = _distilbert_weights(weights, len(layers), settings.official)
        own = _distilbert_config(own)
    configure(own, EncoderSettings(encoder="student", dropout=settings.dropout))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        student = AutoModelForMaskedLM.from_config(own)
    if settings.start == "teacher":
        may_lack = ("vocab_transform.", "vocab_layer_norm.") if settings.official else ()
        _copy(weights, student, may_lack)
    student.tie_weights()
    return student.eval()


def _copy(
    weights: Mapping[str, Tensor], student: PreTrainedModel, may_lack: tuple[str, ...]
) -> None:
    own = student.state_dict()
    lacking = [n for n in own if n not in weights and not n.startswith(may_lack)]
    assert not lacking, f"nothing says what {lacking} of the student is to be"
    student.load_state_dict(weights, strict=False)


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


def _fewer_layers(teacher: Any, layers: Sequence[int]) -> Any:
    own = copy.deepcopy(teacher)
    own.num_hidden_layers = len(layers)
    if getattr(own, "layer_types", None):  # ModernBERT's: some layers see a window, some see all
        own.layer_types = [own.layer_types[layer] for layer in layers]
    return own


def _distilbert_config(bert: Any) -> DistilBertConfig:
    return DistilBertConfig(
        vocab_size=bert.vocab_size,
        max_position_embeddings=bert.max_position_embeddings,
        dim=bert.hidden_size,
        hidden_dim=bert.intermediate_size,
        n_layers=bert.num_hidden_layers,
        n_heads=bert.num_attention_heads,
        activation=bert.hidden_act,
        dropout=bert.hidden_dropout_prob,
        attention_dropout=bert.attention_probs_dropout_prob,
        initializer_range=bert.initializer_range,
        pad_token_id=bert.pad_token_id,
        tie_word_embeddings=bert.tie_word_embeddings,
        sinusoidal_pos_embds=False,
    )


def _distilbert_weights(
    bert: Mapping[str, Tensor], layers: int, official: bool
) -> dict[str, Tensor]:
    positions = bert["bert.embeddings.position_embeddings.weight"]
    if not official:
        positions = positions + bert["bert.embeddings.token_type_embeddings.weight"][0]
    found = {
        "distilbert.embeddings.word_embeddings.weight": bert[
            "bert.embeddings.word_embeddings.weight"
        ],
        "distilbert.embeddings.position_embeddings.weight": positions,
        "vocab_projector.weight": bert["cls.predictions.decoder.weight"],
        "vocab_projector.bias": bert["cls.predictions.decoder.bias"],
    }
    parts = {"bert.embeddings.LayerNorm": "distilbert.embeddings.LayerNorm"}
    for i in range(layers):
        for theirs, ours in _IN_LAYER.items():
            parts[f"bert.encoder.layer.{i}.{theirs}"] = f"distilbert.transformer.layer.{i}.{ours}"
    if not official:
        parts |= _TRANSFORM
    for theirs, ours in parts.items():
        for kind in ("weight", "bias"):
            found[f"{ours}.{kind}"] = bert[f"{theirs}.{kind}"]
    return found
