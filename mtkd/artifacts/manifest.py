"""manifest.json: what an artefact was made from, by what, and at what cost. Written last."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mtkd.artifacts.fingerprint import fingerprint
from mtkd.artifacts.publish import write_file
from mtkd.errors import RunDirError

_PACKAGES = ("mtkd", "torch", "transformers", "accelerate", "datasets", "tokenizers", "numpy")


@dataclasses.dataclass(frozen=True)
class Manifest:
    """One artefact's provenance.

    `inputs` is flat: recipe keys, files and other artefacts, each with its value or hash; its
    fingerprint names the artefact. `environment` is recorded, and does not make it stale. `files`
    are the artefact's own, each with its size in bytes and its SHA-256.
    """

    stage: str
    inputs: dict[str, Any]
    seconds: float
    peak_memory_mb: int
    environment: dict[str, str]
    files: dict[str, dict[str, Any]]
    notes: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Return the hash of the stage and all that went in."""
        return fingerprint({"stage": self.stage, "inputs": self.inputs})

    @property
    def made(self) -> str:
        """Return the hash of what went in and of the bytes that came out.

        What is made from this artefact is made from these bytes: the same inputs on another machine
        give others.
        """
        files = {name: entry["sha256"] for name, entry in self.files.items()}
        return fingerprint({"fingerprint": self.fingerprint, "files": files})

    def write(self, artefact: Path) -> None:
        """Write the manifest of `artefact` (a folder, or a file: then beside it)."""
        content = {"fingerprint": self.fingerprint, **dataclasses.asdict(self)}
        content["checksum"] = fingerprint(content)
        text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        write_file(manifest_path(artefact), text.encode())


def manifest_path(artefact: Path) -> Path:
    """Return where the manifest of a folder (inside it) or of a file (beside it) stands."""
    if artefact.suffix in {".json", ".zip"}:
        return artefact.with_name(f"{artefact.stem}.manifest.json")
    return artefact / "manifest.json"


def read_manifest(artefact: Path) -> Manifest | None:
    """Return the manifest of an artefact, or None where there is no finished artefact.

    Raises: RunDirError: when the manifest is there and is not as it was written.
    """
    path = manifest_path(artefact)
    if not path.is_file() or not artefact.exists():
        return None
    try:
        content = dict(json.loads(path.read_text("utf-8")))
        whole = content.pop("checksum") == fingerprint(content)
        said = content.pop("fingerprint")
        manifest = Manifest(**content)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise RunDirError(f"{path}: not a manifest of this version of mtkd ({error}); delete "
                          f"{artefact} to have it made again") from error  # fmt: skip
    if not whole or said != manifest.fingerprint:
        raise RunDirError(f"{path}: has been changed by hand or by a fault; delete {artefact} to "
                          "have it made again")  # fmt: skip
    return manifest


def environment() -> dict[str, str]:
    """Return what may change a result's last digits: versions, processor, device, threads."""
    import torch

    found = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "device": "cpu" if _on_cpu() else torch.cuda.get_device_name(),
        "threads": str(torch.get_num_threads()),
        "processes": os.environ.get("WORLD_SIZE", "1"),
    }
    return {**found, **_versions()}


def _on_cpu() -> bool:
    import torch

    asked = os.environ.get("ACCELERATE_USE_CPU", "").lower() in {"1", "true", "yes", "on"}
    return asked or not torch.cuda.is_available()


@functools.cache
def _processor() -> str:
    """Return the processor's model, where the system says it, or its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


@functools.cache
def _versions() -> dict[str, str]:
    """Return the versions of the packages that are there; each costs a millisecond to find out."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def peak_memory_mb() -> int:
    """Return the largest resident size of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 * 1024 if sys.platform == "darwin" else 1024)
