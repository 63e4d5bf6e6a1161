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
    """
    for path in [staged, *staged.rglob("*")] if staged.is_dir() else [staged]:
        _flush(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    old = place.with_name(f".{place.name}.old")
    _remove(old)
    if place.exists():
        os.replace(place, old)
    os.replace(staged, place)
    _flush(place.parent)
    _remove(old)


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
