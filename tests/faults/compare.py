"""Whether two run directories hold the same bytes, and nothing that was to be cleared away."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

# of a manifest: what the artefact cost this time, what memory there was, and a checksum over it all
MEASURED = ("seconds", "peak_memory_mb", "notes.memory.available_bytes", "checksum")
KNOWN_HASHES = ".hashes.json"  # of a run directory: times and inodes of files; may be deleted


def differences(reference: Path, run: Path) -> list[str]:
    """Return what differs, a line each; of manifests all but `MEASURED` has to be equal.

    Empty folders count too, and so do leftovers: what is in one of the two only is named.
    """
    here, there = _paths(reference), _paths(run)
    found = [f"{name}: missing" for name in sorted(here - there)]
    found += [f"{name}: left over" for name in sorted(there - here)]
    return found + [
        f"{name}: {fault}"
        for name in sorted(here & there)
        if (fault := _difference(reference / name, run / name))
    ]


def leftovers(run: Path) -> list[str]:
    """Return what of a finished run only belongs to one in the making."""
    words = (".partial", ".old", ".parts", ".lock", "checkpoint", "kept")
    return sorted(
        name
        for name in _paths(run)
        if Path(name).name.startswith(".") or Path(name).name.endswith(words)
    )


def artefacts(run: Path) -> dict[str, str]:
    """Return the places of a run's artefacts, each with its stage, by their manifests.

    The run may go on meanwhile: what is on the move just then may or may not be among them.
    """
    found = {}
    for top, folders, names in os.walk(run):
        folders[:] = [name for name in folders if name != ".partial"]
        folder = Path(top)
        for name in names:
            place = folder
            if name.endswith(".manifest.json") and not name.startswith("."):
                stem = name.removesuffix("manifest.json")
                place = folder / next((n for n in names if n in {f"{stem}json", f"{stem}zip"}), "")
            elif name != "manifest.json":
                continue
            with contextlib.suppress(FileNotFoundError):
                stage = json.loads((folder / name).read_text("utf-8"))["stage"]
                found[str(place.relative_to(run))] = stage
    return found


def seconds_by_stage(run: Path) -> dict[str, float]:
    """Return what a run's stages took, by their manifests."""
    found: dict[str, float] = {}
    for path in run.rglob("*manifest.json"):
        content = json.loads(path.read_text("utf-8"))
        found[content["stage"]] = found.get(content["stage"], 0.0) + content["seconds"]
    return found


def _paths(folder: Path) -> set[str]:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    return found - {KNOWN_HASHES}


def _difference(first: Path, second: Path) -> str:
    """Say how two paths of one name differ, or return an empty string."""
    if first.is_dir() or second.is_dir():
        return "" if first.is_dir() and second.is_dir() else "a folder in one, a file in the other"
    before, after = first.read_bytes(), second.read_bytes()
    if before == after:
        return ""
    if first.name.endswith("manifest.json"):
        one, other = _lasting(before), _lasting(after)
        keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
        return "; ".join(f"{key}: {one.get(key)!r} and {other.get(key)!r}" for key in keys)
    if len(before) != len(after):
        return f"{len(before)} and {len(after)} bytes"
    place = next(i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b)
    return f"differs from byte {place} of {len(before)}"


def _lasting(content: bytes) -> dict[str, Any]:
    """Return what of a manifest two runs have to agree on, as "key.key": value."""
    flat = _flat("", json.loads(content))
    return {key: value for key, value in flat.items() if key not in MEASURED}


def _flat(prefix: str, content: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for key, value in content.items():
        found |= (
            _flat(f"{prefix}{key}.", value) if isinstance(value, dict) else {prefix + key: value}
        )
    return found
