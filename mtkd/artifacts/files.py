"""The files of an artefact: what was written is recorded, and checked before it is used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from mtkd.artifacts.hashes import checked_sha256
from mtkd.artifacts.manifest import Manifest, manifest_path
from mtkd.errors import RunDirError


def record_files(staged: Path, place: Path, scratch: Collection[str] = ()) -> dict[str, Any]:
    """Return size and SHA-256 of the files of an artefact that stands at `staged` so far.

    Args: place: where it will stand, for the name of a file. scratch: names in it to leave out.
    """
    if staged.is_file():
        return {place.name: _record(staged)}
    manifest = manifest_path(staged)
    unfinished = manifest.with_name(f".{manifest.name}.partial")  # by a process that was killed
    own = {manifest, unfinished, *(staged / name for name in scratch)}
    files = sorted(path for path in staged.rglob("*") if path.is_file())
    return {
        path.relative_to(staged).as_posix(): _record(path)
        for path in files
        if not own & {path, *path.parents}
    }


def damage(place: Path, manifest: Manifest, sha256: Callable[[Path], str]) -> str:
    """Return what is wrong with an artefact's files and what to do, or nothing."""
    for name, written in manifest.files.items():
        path = (place if place.is_dir() else place.parent) / name
        if fault := _fault(path, written, sha256):
            return f"{path}: {fault}; delete {place} to have it made again"
    return ""


def check_files(place: Path, manifest: Manifest) -> None:
    """Read an artefact's files and see that they are what was written.

    Raises: RunDirError: naming the file, and what to do.
    """
    if fault := damage(place, manifest, checked_sha256):
        raise RunDirError(fault)


def _record(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": checked_sha256(path)}


def _fault(path: Path, written: Mapping[str, Any], sha256: Callable[[Path], str]) -> str:
    try:
        size = path.stat().st_size
        if size != written["bytes"]:
            return f"damaged: {size} bytes, {written['bytes']} were written"
        found = sha256(path)
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if found != written["sha256"]:
        return f"damaged: its SHA-256 is {found[:12]}..., {written['sha256'][:12]}... was written"
    return ""
