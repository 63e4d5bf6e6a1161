"""Ctrl-C and a cluster's pre-emption: finish the step, save, then stop."""

from __future__ import annotations

import logging
import signal
import threading
import time
from types import FrameType, TracebackType

from mtkd.signals import stop_if_asked

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_IMPATIENCE = 1.0  # seconds; sooner than that nobody presses Ctrl-C again, but a launcher forwards


class StopRequests:
    """While active, SIGINT and SIGTERM set `asked`; only a second Ctrl-C stops at once.

    A launcher passes on a signal that its whole group got too, so that it may come twice, and as
    two kinds. A SIGTERM never does more than ask, and a SIGINT only when it comes a second or more
    after the first one.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, object] = {}
        self._first_sigint: float | None = None

    def __enter__(self) -> StopRequests:
        stop_if_asked()
        if threading.current_thread() is threading.main_thread():
            self._before = {s: signal.signal(s, self._handle) for s in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore()
        if kind is None and self.asked:  # after the last look at it: else nobody would stop
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.asked:
            log.warning("ends this step, saves and stops; Ctrl-C again stops without saving")
        self.asked = True
        if number != signal.SIGINT:
            return
        now = time.monotonic()
        if self._first_sigint is None:
            self._first_sigint = now
        elif now - self._first_sigint >= _IMPATIENCE:
            log.warning("stops without saving: what came after the last save is lost")
            self._restore()
            signal.raise_signal(signal.SIGINT)  # as it acted before

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}
