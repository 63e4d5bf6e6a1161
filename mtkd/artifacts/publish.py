"""Whole or absent: an artefact is written beside its place, flushed, then renamed into it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def write_file(path: Path, content: bytes) -> None:
    """Write a small file so that at any moment the old or the new one is there, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def publish(staged: Path, place: Path) -> None:
    """Move a finished file or folder to its place, over what stands there.

    Everything is flushed to disk first, so that a power cut cannot leave a name without content.
    A file replaces a file at one stroke. A folder cannot replace a folder: for a moment neither is
    in place, and who cannot do without the old one calls `recover` before looking.
    """
    for path in [staged, *staged.rglob("*")] if staged.is_dir() else [staged]:
        _flush(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    old = _old(place)
    if place.is_dir() or (place.exists() and staged.is_dir()):
        _remove(old)
        os.replace(place, old)
    os.replace(staged, place)
    _flush(place.parent)
    _remove(old)


def recover(place: Path) -> None:
    """Put back what stood at `place`, if `publish` was stopped just before replacing it."""
    if not place.exists() and _old(place).exists():
        os.replace(_old(place), place)


def _old(place: Path) -> Path:
    return place.with_name(f".{place.name}.old")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
