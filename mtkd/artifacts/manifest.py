"""manifest.json: what an artefact was made from, by what, and at what cost. Written last."""

from __future__ import annotations

import dataclasses
import json
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
    fingerprint names the artefact. `environment` is recorded, and does not make it stale.
    """

    stage: str
    inputs: dict[str, Any]
    seconds: float
    peak_memory_mb: int
    environment: dict[str, str]
    notes: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Return the hash of the stage and all that went in."""
        return fingerprint({"stage": self.stage, "inputs": self.inputs})

    def write(self, artefact: Path) -> None:
        """Write the manifest of `artefact` (a folder, or a file: then beside it)."""
        content = {"fingerprint": self.fingerprint, **dataclasses.asdict(self)}
        text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        write_file(manifest_path(artefact), text.encode())


def manifest_path(artefact: Path) -> Path:
    """Return where the manifest of a folder (inside it) or of a file (beside it) stands."""
    if artefact.suffix in {".json", ".zip"}:
        return artefact.with_name(f"{artefact.stem}.manifest.json")
    return artefact / "manifest.json"


def read_manifest(artefact: Path) -> Manifest | None:
    """Return the manifest of an artefact, or None where there is no finished artefact.

    Raises: RunDirError: when the manifest is there but cannot be read.
    """
    path = manifest_path(artefact)
    if not path.is_file() or not artefact.exists():
        return None
    try:
        content = dict(json.loads(path.read_text("utf-8")))
        said = content.pop("fingerprint")
        manifest = Manifest(**content)
    except (ValueError, TypeError, KeyError) as error:
        raise RunDirError(f"{path}: not a manifest of mtkd ({error}); delete {artefact}") from error
    if said != manifest.fingerprint:
        raise RunDirError(f"{path}: has been changed by hand or by a fault; delete {artefact}")
    return manifest


def environment() -> dict[str, str]:
    """Return versions of Python, the system and the packages that shape results."""
    found = {"python": platform.python_version(), "system": platform.platform()}
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
