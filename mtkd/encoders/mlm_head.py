"""Whether an encoder's files hold a masked-language head, and how many layers: by names alone."""

from __future__ import annotations

import re

from mtkd.encoders.places import encoder_folder

# what is a head's own, by kind of encoder: the vocabulary's matrix is that of the embeddings
HEAD_WEIGHT = {
    "bert": "cls.predictions.transform.dense.weight",
    "ernie": "cls.predictions.transform.dense.weight",
    "distilbert": "vocab_transform.weight",
    "electra": "generator_predictions.dense.weight",
    "roberta": "lm_head.dense.weight",
    "xlm-roberta": "lm_head.dense.weight",
    "camembert": "lm_head.dense.weight",
    "modernbert": "head.dense.weight",
}
_LAYER = re.compile(r"\blayers?\.(\d+)\.")


def holds_head(encoder: str, kind: str) -> bool:
    """Return whether the files of an encoder, of a kind in `HEAD_WEIGHT`, hold such a head."""
    return HEAD_WEIGHT[kind] in _names(encoder)


def held_layers(encoder: str) -> int:
    """Return the number of layers that an encoder's files hold."""
    found = [int(match[1]) for name in _names(encoder) if (match := _LAYER.search(name))]
    return max(found, default=-1) + 1


def _names(encoder: str) -> set[str]:
    from safetensors import safe_open

    names: set[str] = set()
    for path in encoder_folder(encoder).glob("*.safetensors"):
        with safe_open(path, framework="np") as file:
            names.update(file.keys())
    return names
