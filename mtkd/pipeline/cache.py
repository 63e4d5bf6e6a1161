"""Finished artefacts shared between runs, by fingerprint; linked where the disk allows."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import time
from pathlib import Path

from mtkd.artifacts import check_files, flush_all, manifest_path, publish, read_manifest, remove
from mtkd.errors import RunDirError

_ABANDONED = 3600.0  # seconds: no copy takes that long, so its process was killed

log = logging.getLogger(__name__)


def share(place: Path, shared: Path) -> None:
    """Put a finished artefact and its manifest into the cache; links where the disk allows."""
    if shared.exists():
        return
    for old in shared.parent.glob(f".{shared.name}.*"):
        if time.time() - old.stat().st_mtime > _ABANDONED:
            remove(old)
    # two containers may well have a process of one number
    staged = shared.with_name(f".{shared.name}.{platform.node()}-{os.getpid()}")
    remove(staged)
    staged.mkdir(parents=True)
    for path in {place, manifest_path(place)}:
        if path.is_dir():
            shutil.copytree(path, staged / path.name, copy_function=_link)
        elif path.parent != place:
            _link(path, staged / path.name)
    flush_all(staged)
    try:
        staged.rename(shared)
    except OSError:  # another run was first
        shutil.rmtree(staged)


def fetch(shared: Path, staged: Path, place: Path) -> bool:
    """Put a shared artefact and its manifest in their place in a run, by way of `staged`.

    Returns: False where there is none, or a damaged one, which is removed.
    """
    if not shared.is_dir():
        return False
    remove(staged)
    try:
        shutil.copytree(shared, staged, copy_function=_link)
        found = read_manifest(staged / place.name)
        if found is None or found.fingerprint != shared.name:
            raise RunDirError(f"{shared}: not the artefact of that name")
        check_files(staged / place.name, found)
    except (RunDirError, FileNotFoundError, shutil.Error) as error:
        log.warning("not taken from the cache, but made anew (%s is removed): %s", shared, error)
        shutil.rmtree(shared, ignore_errors=True)  # another process may be at it, too
        remove(staged)
        return False
    manifest = manifest_path(place)
    manifest.unlink(missing_ok=True)
    publish(staged / place.name, place)
    if manifest.parent != place:
        publish(staged / manifest.name, manifest)
    shutil.rmtree(staged)
    log.info("%s: from the cache", place)
    return True


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
