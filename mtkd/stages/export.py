"""One task's model as a plain transformers checkpoint, for those who do not have mtkd."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from mtkd.encoders import load_tokenizer, quiet_transformers
from mtkd.errors import EncoderError, RunDirError, did_you_mean
from mtkd.model import MultiTaskModel
from mtkd.stages.evaluate import models
from mtkd.stages.submit import submitted_model
from mtkd.stages.unit import Run

_TOLERANCE = 1e-5

# By model type: where our linear layer ("") and pooler go in transformers' classification model.
# Those listed put one linear layer on the pooled first token; RoBERTa's head holds the pooler.
_POOLED = {"": "classifier"}
_ROBERTA = {"pooler.dense": "classifier.dense", "": "classifier.out_proj"}
_HEADS = {
    "bert": _POOLED,
    "albert": _POOLED,
    "ernie": _POOLED,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
}


def export_task(run: Run, task: str, to: Path, model: str | None = None) -> str:
    """Write the checkpoint and return the place in the run that it was made from.

    Logits are compared before anything is written: they agree to 1e-5.

    Raises: RunDirError: no such model or task in the run, or `to` is there already. EncoderError:
        transformers has no class for that head.
    """
    place = _place(run, task, model)
    if to.exists():
        raise RunDirError(f"{to}: is there already; name a directory that is not")
    folder = run.folder / place
    ours = MultiTaskModel.load(folder)
    theirs = _plain(ours, task, place)
    _compare(ours, theirs, task, place)
    theirs.save_pretrained(to)
    load_tokenizer(str(folder)).save_pretrained(to)
    return str(folder)


def _place(run: Run, task: str, model: str | None) -> str:
    trained = models(run)
    name = model or submitted_model(run)
    if name not in trained:
        raise RunDirError(f"{name}: the recipe trains {', '.join(trained)}"
                          f"{did_you_mean(name, trained)}")  # fmt: skip
    if task not in trained[name]:
        raise RunDirError(f"{task}: {name} has heads for {', '.join(trained[name])}"
                          f"{did_you_mean(task, trained[name])}")  # fmt: skip
    place = trained[name][task]
    if not (run.folder / place / "manifest.json").is_file():
        raise RunDirError(f"{run.folder / place}: is not there yet; mtkd distill {run.folder}")
    return place


def _plain(ours: MultiTaskModel, task: str, place: str) -> PreTrainedModel:
    config = ours.encoder.config
    head = ours.head_configs[task]
    names = _HEADS.get(config.model_type)
    if head["type"] != "linear" or head["pooling"] != "first" or names is None:
        raise EncoderError(
            f"{place}: transformers has no class for a {head['type']} head with {head['pooling']} "
            f"pooling on {config.model_type}; those with type=linear, pooling=first can be "
            f"exported, on {', '.join(_HEADS)}. The encoder alone: AutoModel.from_pretrained"
        )
    labels = head["labels"] or ["score"]
    plain = type(config).from_dict({**config.to_dict(), "num_labels": len(labels)})
    del plain.mtkd
    plain.id2label = dict(enumerate(labels))
    plain.label2id = {label: i for i, label in enumerate(labels)}
    plain.problem_type = "single_label_classification" if head["labels"] else "regression"
    quiet_transformers()
    theirs = AutoModelForSequenceClassification.from_config(plain, dtype=torch.float32).eval()
    weights = {f"{theirs.base_model_prefix}.{k}": v for k, v in ours.encoder.state_dict().items()}
    linear = ours.heads.get_submodule(f"{task}.linear").state_dict()
    for our_name, their_name in names.items():
        source = linear if our_name == "" else ours.encoder.get_submodule(our_name).state_dict()
        weights |= {f"{their_name}.{k}": v for k, v in source.items()}
    lacking = theirs.load_state_dict(weights, strict=False).missing_keys
    if lacking:
        raise EncoderError(f"{place}: transformers' class has weights that mtkd has not: {lacking}")
    return theirs


@torch.inference_mode()
def _compare(ours: MultiTaskModel, theirs: PreTrainedModel, task: str, place: str) -> None:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, ours.encoder.config.vocab_size, (4, 24), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 12:] = 0
    expected = ours(task, segments=torch.zeros_like(ids), attention_mask=mask, input_ids=ids)
    found = theirs(input_ids=ids, attention_mask=mask).logits
    difference = (expected - found).abs().max().item()
    if difference > _TOLERANCE:
        raise EncoderError(f"{place}: the exported logits would differ by {difference:.1e}; "
                           "nothing was written")  # fmt: skip
