"""Whole or absent: an artefact is written beside its place, flushed, then renamed into it."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path, PurePosixPath

from mtkd.errors import RunDirError


def write_file(path: Path, content: bytes) -> None:
    """Write a small file so that at any moment the old or the new one is there, never a part."""
    make_folder(path.parent)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)  # of a process that was killed; never written through a link
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    flush(path.parent)


def publish(staged: Path, place: Path) -> None:
    """Move a finished file or folder to its place, over what stands there.

    Everything is flushed to disk first, so that a power cut cannot leave a name without content.
    A file replaces a file at one stroke. A folder cannot replace a folder: for a moment neither is
    in place, and who cannot do without the old one calls `recover` before looking.
    """
    flush_all(staged)
    make_folder(place.parent)
    old = _old(place)
    if place.is_dir() or (place.exists() and staged.is_dir()):
        remove(old)
        os.replace(place, old)
    os.replace(staged, place)
    flush(place.parent)
    remove(old)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are not there; a power cut leaves them all."""
    missing = [each for each in (path, *path.parents) if not each.is_dir()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        flush(each.parent)


def flush_all(path: Path) -> None:
    """Have a file, or a folder and all in it, written to the disk itself."""
    for each in [path, *path.rglob("*")] if path.is_dir() else [path]:
        flush(each)


def recover(place: Path) -> None:
    """Put back what stood at `place`, if `publish` was stopped just before replacing it."""
    if not place.exists() and _old(place).exists():
        os.replace(_old(place), place)


def clear_old(place: Path) -> None:
    """Remove what stood at `place` before, if `publish` was stopped just after replacing it."""
    if place.exists():
        remove(_old(place))


def refuse_links(folder: Path, place: str) -> None:
    """Refuse a place that a link inside of `folder` leads out of it.

    Raises: RunDirError: naming the link.
    """
    path = folder
    for part in PurePosixPath(place).parts:
        path = path / part
        if path.is_symlink():
            raise RunDirError(f"{path}: is a link, and mtkd would write and delete where it leads; "
                              "put a folder in its place, or link the run directory as a whole"
                              )  # fmt: skip


def flush(path: Path) -> None:
    """Have a file's content, or a folder's list of names, written to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, a folder or a link, where there is one; a failure is an error."""
    if path.is_dir() and not path.is_symlink():  # of a link, what it points to is not ours
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _old(place: Path) -> Path:
    return place.with_name(f".{place.name}.old")
