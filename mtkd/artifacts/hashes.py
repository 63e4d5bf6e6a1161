"""Hashes of files, remembered: a file of the same size, time and inode is taken to be the same."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

from mtkd.artifacts.fingerprint import file_sha256, fingerprint
from mtkd.artifacts.lock import LOCK
from mtkd.artifacts.publish import write_file
from mtkd.errors import RunDirError

HASHES = ".hashes.json"  # in a run directory
_SETTLED = 2.0  # seconds: a file may change twice within one tick of a coarse clock

_known: dict[str, tuple[list[int], str]] = {}  # path -> [size, mtime in ns, inode], SHA-256
_read_here: set[str] = set()  # paths whose bytes this process has read


def remembered_sha256(path: Path) -> str:
    """Return a file's SHA-256, without reading it where it is known: to tell what is stale.

    Who is about to use the file's content calls `checked_sha256`.
    """
    key, state = _state(path)
    known = _known.get(key)
    if known is not None and known[0] == state:
        return known[1]
    return _read(path, key, state)


def checked_sha256(path: Path) -> str:
    """Return a file's SHA-256 from its bytes, read once by each process as long as it stays."""
    key, state = _state(path)
    if key in _read_here and _known[key][0] == state:
        return _known[key][1]
    return _read(path, key, state)


def check_remembered(path: Path) -> None:
    """See that a file which is about to be read has the bytes that it is known by.

    Raises: RunDirError: its size, time and inode are the same, and its bytes are not.
    """
    known = remembered_sha256(path)
    if checked_sha256(path) != known:
        raise RunDirError(
            f"{path}: its bytes have changed, and its size and time have not: it is damaged, or "
            "was changed by a tool that keeps times. Restore it; or touch it, and what was made "
            "from it is made anew"
        )


@contextlib.contextmanager
def remembering(folder: Path, *, keep: bool = True) -> Iterator[None]:
    """Know the hashes kept in `folder`, and `keep` there what is learnt, if it holds a run."""
    before = _load(folder / HASHES)
    for key, entry in before.items():
        _known.setdefault(key, entry)
    try:
        yield
    finally:
        now = time.time_ns()
        settled = {
            key: known
            for key, known in _known.items()
            if now - known[0][1] > _SETTLED * 1e9 and Path(key).exists()
        }
        if keep and _holds_a_run(folder) and settled != before:
            content = {k: [*v] for k, v in sorted(settled.items())}
            text = json.dumps({"checksum": fingerprint(content), "files": content})
            with contextlib.suppress(OSError):  # it only saves time
                write_file(folder / HASHES, text.encode())


def _holds_a_run(folder: Path) -> bool:
    return folder.is_dir() and any(path.name != LOCK for path in folder.iterdir())


def _read(path: Path, key: str, state: list[int]) -> str:
    sha256 = file_sha256(path)
    _known[key] = state, sha256
    _read_here.add(key)
    return sha256


def _state(path: Path) -> tuple[str, list[int]]:
    stat = path.stat()
    return str(path.absolute()), [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def _load(path: Path) -> dict[str, tuple[list[int], str]]:
    """Return the hashes of a file, none where it is missing or broken."""
    try:
        content = json.loads(path.read_text("utf-8"))
        whole = content["checksum"] == fingerprint(content["files"])
        return {k: (state, sha) for k, (state, sha) in content["files"].items()} if whole else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
