"""Failures of the file system, put in where Python asks for a change: by audit events."""

from __future__ import annotations

import dataclasses
import errno
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_REMOVALS = {"os.remove", "os.rmdir"}
KILL = "KILL"
PEACE = 15


@dataclasses.dataclass(frozen=True)
class Fault:
    """What goes wrong below `root`: the first operation that is not among `spared`.

    An operation is an event and a path, "os.mkdir .partial/student"; each is one key however often
    it happens. error: an errno's name, or KILL: the process ends right there, between two
    operations. lasting: all that follow fail likewise, as on a full disk; what is removed frees
    room, and never fails for want of it. Else the process is left in peace to end, and where it
    goes on regardless for `PEACE` operations, the next that is not among `spared` fails too.
    record: file that gets the operations that failed, or with no `error` all of them, a line each;
    of a lasting fault the first.
    """

    root: str
    record: str
    error: str | None = None
    spared: tuple[str, ...] = ()
    lasting: bool = False


def install(fault: Fault) -> None:
    """Let `fault` happen in this process; there is no way back."""
    root = os.path.realpath(fault.root)
    spared = frozenset(fault.spared)
    record = os.open(fault.record, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    own = re.compile(rf"\b{os.getpid()}\b")
    passed = PEACE  # operations since the last that failed

    def fails(event: str, key: str) -> bool:
        if fault.error is None or (fault.error == "ENOSPC" and event in _REMOVALS):
            return False
        if passed < 0:  # a lasting fault
            return True
        return passed >= PEACE and key not in spared

    def hook(event: str, args: tuple[Any, ...]) -> None:
        nonlocal passed
        path = changed_path(event, args)
        if path is None:
            return
        path = os.path.abspath(path)  # noqa: PTH100 (of a link the link is meant, not its target)
        if path != root and not path.startswith(root + os.sep):
            return
        key = own.sub("PID", f"{event} {os.path.relpath(path, root)}")
        stops = fails(event, key)
        if fault.error is None or (stops and passed >= 0):
            os.write(record, f"{key}\n".encode())
        if not stops:
            passed += 1 if passed >= 0 else 0
            return
        assert fault.error is not None
        passed = -1 if fault.lasting else 0
        if fault.error == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(errno, fault.error)
        raise OSError(number, os.strerror(number), path)

    sys.addaudithook(hook)


def changed_path(event: str, args: tuple[Any, ...]) -> str | None:
    """Return the path that an audit event is about to change, or None where it changes none."""
    match event, args:
        case "open", (path, _, flags) if isinstance(flags, int) and flags & _CHANGES:
            return _plain(path)
        case "os.remove" | "os.rmdir", (path, folder):
            return _plain(path, folder)
        case "os.mkdir", (path, _, folder):
            return _plain(path, folder)
        case "os.rename" | "os.link", (_, path, _, folder):
            return _plain(path, folder)
        case "os.symlink", (_, path, folder):
            return _plain(path, folder)
        case "os.truncate", (path, _):
            return _plain(path)
    return None


def _plain(path: Any, folder: int = -1) -> str | None:
    if isinstance(path, int):  # a descriptor: it was opened before
        return None
    named = Path(os.fsdecode(path))
    if folder >= 0:  # rmtree holds folders open, and an absolute path stays as it is
        named = Path(f"/proc/self/fd/{folder}").readlink() / named
    return str(named)
