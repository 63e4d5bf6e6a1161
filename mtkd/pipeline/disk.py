"""Errors of the disk, in words: which file, how much room there is, and what to do."""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from mtkd.errors import MtkdError, RunDirError, RunFailed

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_BROKEN = {errno.EIO, errno.ESTALE, errno.ENXIO}


@contextlib.contextmanager
def disk_errors_explained(place: Path, needed: int = 0) -> Iterator[None]:
    """Turn an error of the disk below `place` into one that says what to do.

    Args: needed: bytes that what is written takes, if known.
    Raises: RunFailed: the disk is full or broken. RunDirError: it cannot be written.
    """
    try:
        yield
    except MtkdError:
        raise
    except Exception as error:  # safetensors and tokenizers have errors of their own for it
        number = _errno(error)
        file = getattr(error, "filename", None) or _newest(place)
        if number in _FULL:
            raise RunFailed(f"{file}: {_room(place, needed, number)}; make room and run the same "
                            "command again") from error  # fmt: skip
        if number in _REFUSED:
            raise RunDirError(f"{file}: cannot be written ({_reason(error)}); see to its "
                              "permissions, or choose another place") from error  # fmt: skip
        if number in _BROKEN:
            raise RunFailed(f"{file}: the disk or its connection failed ({_reason(error)}); see to "
                            "it and run the same command again") from error  # fmt: skip
        raise


def _errno(error: Exception) -> int | None:
    """Return the system's number of an error; libraries in Rust have it in their text only."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = re.search(r"os error (\d+)|\[Errno (\d+)\]", str(error))
    return int(found[1] or found[2]) if found else None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _room(place: Path, needed: int, number: int | None) -> str:
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    takes = f", and what is written takes about {_size(needed)}" if needed else ""
    if number == errno.EFBIG:
        return f"is larger than this system or user may write{takes}"
    return f"the disk is full: {_size(free)} are free{takes}"


def _size(number: int) -> str:
    return f"{number / 1e6:,.1f} MB"


def _newest(place: Path) -> Path:
    """Return the file below `place` that was written to last: the one in the making."""
    files = [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else []
    with contextlib.suppress(OSError):
        return max(files, key=lambda path: path.stat().st_mtime_ns, default=place)
    return place
