"""The state of a training loop on disk: tensors as safetensors, the rest as JSON; no pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mtkd.artifacts import fingerprint, publish, recover, remove
from mtkd.errors import RunDirError
from mtkd.sharding import part

_TENSORS, _STATE = "tensors.safetensors", "state.json"


def save_checkpoint(folder: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors and state to `folder`, replacing what was there, whole or not at all."""
    staged = folder.with_name(f".{folder.name}.partial")
    remove(staged)
    staged.mkdir(parents=True)
    save_tensors(staged / _TENSORS, tensors)
    content = {**state, "checksum": fingerprint(dict(state))}
    (staged / _STATE).write_text(json.dumps(content, allow_nan=False), "utf-8")
    publish(staged, folder)


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Return what `save_checkpoint` wrote, or None where there is none.

    Raises: RunDirError: when it is there and is not as it was written.
    """
    recover(folder)
    if not folder.is_dir():
        return None
    try:
        state = dict(json.loads((folder / _STATE).read_text("utf-8")))
        if state.pop("checksum") != fingerprint(state):
            raise ValueError("its checksum differs")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(folder / _STATE, error) from error
    return load_tensors(folder / _TENSORS), state


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors, with a hash of their names, types, shapes and values."""
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_file(own, path, metadata={"sha256": _tensors_sha256(own)})


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Return what `save_tensors` wrote.

    Raises: RunDirError: when it is not as it was written.
    """
    try:
        with safe_open(path, "pt") as file:
            written = (file.metadata() or {}).get("sha256")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if _tensors_sha256(tensors) != written:
            raise ValueError("its checksum differs")
    except (OSError, ValueError, SafetensorError) as error:
        raise _damaged(path, error) from error
    return tensors


def _tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _damaged(file: Path, error: Exception) -> RunDirError:
    attempt = file.parent.parent
    return RunDirError(f"{file}: not as it was written ({error}); delete {attempt} to begin it "
                       "anew")  # fmt: skip


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimiser's state, flat: "optimizer.<parameter number>.<name>"."""
    return {
        f"optimizer.{index}.{name}": torch.as_tensor(value)
        for index, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }


def load_optimizer_tensors(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave; learning rates are the schedule's affair."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            state.setdefault(int(index), {})[name] = part(tensor, parameters[int(index)])
    optimizer.load_state_dict(
        {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
    )


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the model's weights, flat: "model.<name>"."""
    return {f"model.{name}": tensor for name, tensor in model.state_dict().items()}


def load_model_tensors(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `model_tensors` gave; every weight must be there."""
    prefix = "model."
    own = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    load_weights(model, own)


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put whole weights into a model, of which this process may hold a part; all must be there."""
    held = model.state_dict()
    own = {name: part(t, held[name]) if name in held else t for name, t in weights.items()}
    model.load_state_dict(own, strict=True)
