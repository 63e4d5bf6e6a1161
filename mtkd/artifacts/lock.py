"""One writer: a run directory is held by one process, and who comes second is told by whom."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from mtkd.artifacts.publish import refuse_links
from mtkd.errors import RunDirError

LOCK = ".lock"
_UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}

log = logging.getLogger(__name__)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a directory, which is made where it is missing, until the block ends.

    The lock is the kernel's (flock): it goes with its process however that ends, so nothing that
    a dead process leaves behind has to be removed by hand.

    Raises: RunDirError: another process holds it; saying which, where and since when.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = _acquire(folder)
    try:
        if os.fstat(descriptor).st_size:
            log.info("%s: was held by %s, which has ended", folder, _holder(descriptor))
        _sign(descriptor)
        yield
    finally:
        with contextlib.suppress(OSError):  # a refused recipe's directory is gone already
            (folder / LOCK).unlink()  # while it is held, so that nobody holds what was unlinked
        with contextlib.suppress(OSError):  # something came of it
            for each in made:
                each.rmdir()
        os.close(descriptor)


def _acquire(folder: Path) -> int:
    """Return a descriptor of the lock file, held."""
    path = folder / LOCK
    while True:
        refuse_links(folder, LOCK)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            _lock(descriptor, folder)
        except BaseException:
            os.close(descriptor)
            raise
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)  # its last holder removed it in between


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RunDirError(
            f"{folder}: in use by {_holder(descriptor)}; wait for it to end, or choose another "
            "place with --run-dir"
        ) from error
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        log.warning("%s: this file system has no locks; take care that no second process writes "
                    "there", folder)  # fmt: skip


def _sign(descriptor: int) -> None:
    since = datetime.now(UTC).astimezone().isoformat(" ", "seconds")
    content = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(content).encode(), 0)


def _holder(descriptor: int) -> str:
    try:
        content = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {content['pid']} on {content['host']} since {content['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"
