"""Ctrl-C and a cluster's SIGTERM outside of trainings, which save by themselves before."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

from mtkd.errors import Interrupted

_asked = False  # one process has one set of signal handlers


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Make one error of both.

    Whoever is interrupted may make another error of the KeyboardInterrupt, as libraries do, or
    lose it, as Python does where it falls into a finaliser; then `stop_if_asked` comes upon it.

    Raises: Interrupted: one of them came.
    """
    global _asked

    def stop(*_: object) -> None:
        global _asked
        _asked = True
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
        stop_if_asked()
    except Interrupted:
        raise
    except BaseException as error:
        if not (_asked or isinstance(error, KeyboardInterrupt)):
            raise
        raise Interrupted("stopped; what was finished is kept") from error
    finally:
        _asked = False
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_if_asked() -> None:
    """Raise KeyboardInterrupt where a signal came and the one that it raised was lost."""
    if _asked:
        raise KeyboardInterrupt
