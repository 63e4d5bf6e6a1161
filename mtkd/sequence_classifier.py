"""One task's head and the encoder as transformers' own sequence-classification model."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from mtkd.encoders import quiet_transformers
from mtkd.errors import EncoderError
from mtkd.model import MultiTaskModel

_TOLERANCE = 1e-5

# Where our linear layer ("") and the encoder's pooler go, by model type.
_ON_POOLER = {"": "classifier"}
_POOLER_IN_HEAD = {"pooler.dense": "classifier.dense", "": "classifier.out_proj"}
_PLACES = {
    "bert": _ON_POOLER,
    "albert": _ON_POOLER,
    "ernie": _ON_POOLER,
    "roberta": _POOLER_IN_HEAD,
    "xlm-roberta": _POOLER_IN_HEAD,
    "camembert": _POOLER_IN_HEAD,
}
# These encoders have no pooler, and transformers puts a dense layer with ReLU or GELU before the
# linear one. Both functions leave large numbers as they are, so a dense layer that only adds a
# large number, which the linear layer's bias takes away again, changes nothing.
_DENSE_BEFORE = {
    "distilbert": ("pre_classifier", "classifier"),
    "electra": ("classifier.dense", "classifier.out_proj"),
    "deberta": ("pooler.dense", "classifier"),
    "deberta-v2": ("pooler.dense", "classifier"),
}
_LARGE = 32.0  # well above what LayerNorm leaves, small enough for float32 to keep 1e-5


def sequence_classifier(model: MultiTaskModel, task: str) -> PreTrainedModel:
    """Return a transformers model that gives the task's logits, to 1e-5, without mtkd.

    Its labels are the task's, in the order of the logits; regression has one, "score".

    Raises: EncoderError: transformers has no class for such a head on such an encoder, or its
        logits would differ.
    """
    head, kind = model.head_configs[task], model.encoder.config.model_type
    known = {*_PLACES, *_DENSE_BEFORE}
    if head["type"] != "linear" or head["pooling"] != "first" or kind not in known:
        raise EncoderError(
            f"{task}: transformers has no class for a {head['type']} head with {head['pooling']} "
            f"pooling on {kind}. It has for type=linear with pooling=first, on "
            f"{', '.join(sorted(known))}: train with student.heads.{task}.pooling=first, or use "
            "the encoder alone, by AutoModel.from_pretrained"
        )
    plain = _empty(model, head["labels"])
    weights = {f"{plain.base_model_prefix}.{k}": v for k, v in model.encoder.state_dict().items()}
    lacking = plain.load_state_dict(weights | _classifier(model, task), strict=False).missing_keys
    if lacking:
        raise EncoderError(f"{task}: transformers' class has weights that mtkd has not: {lacking}")
    _compare(model, plain, task)
    return plain


def _empty(model: MultiTaskModel, labels: list[str]) -> PreTrainedModel:
    content = model.encoder.config.to_dict()
    content.pop("mtkd", None)
    names = labels or ["score"]
    config = type(model.encoder.config).from_dict({**content, "num_labels": len(names)})
    config.id2label = dict(enumerate(names))
    config.label2id = {label: i for i, label in enumerate(names)}
    config.problem_type = "single_label_classification" if labels else "regression"
    quiet_transformers()
    return AutoModelForSequenceClassification.from_config(config, dtype=torch.float32).eval()


def _classifier(model: MultiTaskModel, task: str) -> dict[str, Tensor]:
    """Return the weights of the classification head, under transformers' names."""
    kind = model.encoder.config.model_type
    linear = model.heads.get_submodule(f"{task}.linear").state_dict()
    if kind in _PLACES:
        sources = {
            theirs: model.encoder.get_submodule(ours).state_dict() if ours else linear
            for ours, theirs in _PLACES[kind].items()
        }
    else:
        dense, output = _DENSE_BEFORE[kind]
        weight, bias = linear["weight"].double(), linear["bias"].double()
        width = weight.size(1)
        sources = {
            dense: {"weight": torch.eye(width), "bias": torch.full((width,), _LARGE)},
            output: {"weight": weight, "bias": bias - _LARGE * weight.sum(dim=1)},
        }
    return {
        f"{place}.{n}": w.float() for place, source in sources.items() for n, w in source.items()
    }


@torch.inference_mode()
def _compare(ours: MultiTaskModel, theirs: PreTrainedModel, task: str) -> None:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, ours.encoder.config.vocab_size, (4, 24), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 12:] = 0
    expected = ours.eval()(task, torch.zeros_like(ids), mask, input_ids=ids)
    found = theirs(input_ids=ids, attention_mask=mask).logits
    difference = (expected - found).abs().max().item()
    if difference > _TOLERANCE:
        raise EncoderError(
            f"{task}: transformers' logits would differ by {difference:.1e}; nothing was exported"
        )
