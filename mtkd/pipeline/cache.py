"""Finished artefacts shared between runs, by fingerprint; linked where the disk allows."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mtkd.artifacts import manifest_path, publish


def share(place: Path, shared: Path) -> None:
    """Put a finished artefact and its manifest into the cache; links where the disk allows."""
    staged = shared.with_name(f".{shared.name}.{os.getpid()}")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    for path in {place, manifest_path(place)}:
        if path.is_dir():
            shutil.copytree(path, staged / path.name, copy_function=_link)
        elif path.parent != place:
            _link(path, staged / path.name)
    if shared.exists():
        shutil.rmtree(staged)
    else:
        staged.rename(shared)


def fetch(shared: Path, staged: Path, place: Path) -> None:
    """Put a shared artefact and its manifest in their place in a run, by way of `staged`."""
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(shared, staged, copy_function=_link)
    manifest = manifest_path(place)
    manifest.unlink(missing_ok=True)
    publish(staged / place.name, place)
    if manifest.parent != place:
        publish(staged / manifest.name, manifest)
    shutil.rmtree(staged)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
