"""Ctrl-C and a cluster's SIGTERM outside of trainings, which save by themselves before."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

from mtkd.errors import Interrupted


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Make one error of both.

    A library may have made another error of the KeyboardInterrupt that came in its midst.

    Raises: Interrupted: one of them came.
    """
    asked = False

    def stop(*_: object) -> None:
        nonlocal asked
        asked = True
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except Interrupted:
        raise
    except BaseException as error:
        if not (asked or isinstance(error, KeyboardInterrupt)):
            raise
        raise Interrupted("stopped; what was finished is kept") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
