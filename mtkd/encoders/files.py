"""What an encoder's files claim, looked at before they are loaded: they come from anywhere.

Weights are safetensors alone. A pickle runs code when it is read; so do a model's own Python files,
which transformers runs if it is told to. What is left is data, which can still lie about its size.
"""

from __future__ import annotations

import json
import logging
import math
import re
from pathlib import Path
from typing import Any

from mtkd.errors import EncoderError
from mtkd.recipe.names import name_fault
from mtkd.shown import reason, shown

_MAX_JSON = 2**22  # bytes of a configuration or index; a config with 20,000 label names has 1 MB
_MAX_VOCABULARY = 2**26  # bytes of a tokenizer file; the largest known, Gemma's, has 34 MB
_MAX_INTEGER = 2**31 - 1
_MAX_LABELS = 100_000  # transformers makes a name for each
_MAX_DEPTH = 64  # layers, where there are fewer weights: ALBERT's share theirs
_FEW = 2**22  # weights, 16 MB: not worth a check, and tiny models have tables longer than them
_VOCABULARY = (".model", ".txt")
_JSON = {
    "added_tokens.json",
    "config.json",
    "model.safetensors.index.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
}
_TOKENIZERS = re.compile(r"(?!Auto)\w*(Tokenizer|TokenizerFast|TokenizersBackend)")
# keys whose number is that of modules to build
_COUNTS = re.compile(r"(layers?|groups?|group_num|blocks?|block_sizes|stages?|experts|depths?)$")
_DEPTHS = ("num_hidden_layers", "n_layers")
_LENGTHS = ("vocab_size", "max_position_embeddings", "type_vocab_size", "intermediate_size")
_WIDTHS = ("hidden_size", "dim", "d_model", "n_embd", "embedding_size")

log = logging.getLogger(__name__)


def check_encoder(folder: Path, encoder: str) -> None:
    """Look through an encoder's folder without loading anything.

    Args: encoder: what to call it in messages.
    Raises: EncoderError: it is no encoder, needs code or a pickle, or claims what it does not hold.
    """
    if not (folder / "config.json").is_file():
        raise EncoderError(f"{encoder}: no config.json in {folder}, so not an encoder")
    if not list(folder.glob("*.safetensors")):
        raise EncoderError(f"{encoder}: no safetensors weights in {folder}; mtkd loads nothing "
                           "else, since a pickle can run code. "
                           + _way_to_convert(folder))  # fmt: skip
    if (folder / "adapter_config.json").is_file():
        raise EncoderError(f"{encoder}: {folder} holds an adapter, which names another model to "
                           "load; merge it into an encoder first")  # fmt: skip
    for path in sorted(folder.iterdir()):
        if path.suffix in _VOCABULARY or path.name in {"tokenizer.json", "vocab.json"}:
            _check_size(path, _MAX_VOCABULARY, encoder)
        elif path.name in _JSON:  # others, such as sentence-transformers' lists, are never read
            _read_json(path, encoder)
    weights, tensors = _check_weights(folder, encoder)
    _check_index(folder, encoder)
    config = folder / "config.json"
    _check_config(_read_json(config, encoder), config, encoder, weights, tensors)
    if (settings := folder / "tokenizer_config.json").is_file():
        _check_code(_read_json(settings, encoder), settings, encoder)


def check_described(config: Any, folder: Path, encoder: str) -> None:
    """Compare the model that a transformers config describes with the weights in its folder.

    transformers gives each weight that the files lack the size that the config says, at once. Here
    the model is built without memory first.

    Raises: EncoderError: it has more than twice the weights that the files hold.
    """
    import torch
    from transformers import AutoModel

    held, _ = _check_weights(folder, encoder)
    with torch.device("meta"):
        model = AutoModel.from_config(config, trust_remote_code=False)
    described = sum(weight.numel() for weight in model.parameters())
    if described > max(2 * held, _FEW):
        raise EncoderError(f"{encoder}: {folder / 'config.json'} describes a model of "
                           f"{described:,} weights, but the files hold {held:,}")  # fmt: skip


def _check_weights(folder: Path, encoder: str) -> tuple[int, int]:
    """Read the headers of all weights, which safetensors holds against the length of the file.

    Returns: number of weights, number of tensors.
    """
    from safetensors import SafetensorError, safe_open

    weights = tensors = 0
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="np") as file:
                for name in file.keys():  # noqa: SIM118 - it is no dict
                    weights += math.prod(file.get_slice(name).get_shape())
                    tensors += 1
        except (SafetensorError, OSError, ValueError) as error:
            raise EncoderError(f"{encoder}: cannot be loaded: {path} is not a whole safetensors "
                               f"file ({reason(error)}); copy it again") from error  # fmt: skip
    return weights, tensors


def _check_index(folder: Path, encoder: str) -> None:
    path = folder / "model.safetensors.index.json"
    if not path.is_file():
        return
    shards = _read_json(path, encoder).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise EncoderError(f"{encoder}: {path}: expected a weight_map from weights to files")
    for name in shards.values():
        plain = isinstance(name, str) and name_fault(name) is None and name.endswith(".safetensors")
        if not plain:
            raise EncoderError(f"{encoder}: {path}: expected names of .safetensors files beside "
                               f"it, found {shown(name)}")  # fmt: skip
        if not (folder / name).is_file():
            raise EncoderError(f"{encoder}: {path} names {name}, which is not there; copy it too")


def _check_config(
    config: dict[str, Any], path: Path, encoder: str, weights: int, tensors: int
) -> None:
    _check_code(config, path, encoder)
    for key, value in _leaves(config):
        if key.endswith("_implementation") and "/" in str(value):
            raise EncoderError(f"{encoder}: {path}: {key}: names code on the hub, which mtkd does "
                               f"not run; take it out: {shown(value)}")  # fmt: skip
        if not isinstance(value, int) or isinstance(value, bool):
            continue
        most = _MAX_INTEGER
        if key == "num_labels":
            most = _MAX_LABELS
        elif _COUNTS.search(key):
            most = max(tensors, _MAX_DEPTH)
        if key in _DEPTHS and value < 1:  # transformers builds an encoder of none
            raise EncoderError(f"{encoder}: {path}: {key}: expected 1 or more, found {value}")
        if value > most:
            raise EncoderError(f"{encoder}: {path}: {key}: expected at most {most}, by its "
                               f"{tensors} tensors, found {shown(value)}")  # fmt: skip
    longest, widest = (_largest(config, keys) for keys in (_LENGTHS, _WIDTHS))
    if longest * widest > max(4 * weights, _FEW):  # ALBERT's longest table is not its widest
        raise EncoderError(f"{encoder}: {path}: a table of {longest:,} x {widest:,} cannot be in "
                           f"files of {weights:,} weights")  # fmt: skip
    for key, why in (
        ("quantization_config", "quantised weights, which cannot be trained"),
        ("transformers_weights", "another file of weights than the usual"),
    ):
        if config.get(key) is not None:
            raise EncoderError(f"{encoder}: {path}: {key}: {why}; mtkd needs an encoder in "
                               "floating point, in model.safetensors")  # fmt: skip


def _check_code(config: dict[str, Any], path: Path, encoder: str) -> None:
    """Refuse a tokenizer class that is none, and say that code beside the encoder is not run."""
    name = config.get("tokenizer_class")
    if name is not None and not (isinstance(name, str) and _TOKENIZERS.fullmatch(name)):
        raise EncoderError(f"{encoder}: cannot be loaded: {path}: tokenizer_class: expected a "
                           f"tokenizer of transformers, found {shown(name)}")  # fmt: skip
    if config.get("auto_map"):
        log.warning("%s: %s names code of its own (auto_map), which mtkd never runs", encoder, path)


def _largest(config: dict[str, Any], keys: tuple[str, ...]) -> int:
    found = [value for key, value in _leaves(config) if key in keys and isinstance(value, int)]
    return max(found, default=1)


def _leaves(node: Any, key: str = "") -> list[tuple[str, Any]]:
    """Return each single value below `node` with the key nearest to it."""
    if isinstance(node, dict):
        return [leaf for name, value in node.items() for leaf in _leaves(value, name)]
    if isinstance(node, list):
        return [leaf for value in node for leaf in _leaves(value, key)]
    return [(key, node)]


def _read_json(path: Path, encoder: str) -> dict[str, Any]:
    _check_size(path, _MAX_JSON, encoder)
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:  # text that is no UTF-8 too, and 5,000 digits
        raise EncoderError(f"{encoder}: cannot be loaded: {path}: not JSON that can be read "
                           f"({reason(error)})") from error  # fmt: skip
    if not isinstance(content, dict):
        raise EncoderError(f"{encoder}: cannot be loaded: {path}: expected keys and values")
    return content


def _check_size(path: Path, most: int, encoder: str) -> None:
    size = path.stat().st_size
    if size > most:
        raise EncoderError(f"{encoder}: {path}: expected at most {most:,} bytes, found {size:,}; "
                           "not the file that its name says")  # fmt: skip


def _way_to_convert(folder: Path) -> str:
    """Return a command that makes safetensors of what is there, without running code from it."""
    if not list(folder.glob("pytorch_model*.bin")):
        return (
            "Weights in pytorch_model.bin can be converted: download them "
            "(hf download ID --local-dir DIR), and give DIR as encoder; the error then says how"
        )
    return (
        f'Convert, in {folder}: python -c "import glob, torch; from safetensors.torch import '
        "save_file; weights = {k: v.clone().contiguous() for f in sorted(glob.glob("
        "'pytorch_model*.bin')) for k, v in torch.load(f, map_location='cpu', weights_only=True)"
        ".items()}; save_file(weights, 'model.safetensors', metadata={'format': 'pt'})\""
    )
