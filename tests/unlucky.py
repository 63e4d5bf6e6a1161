"""What a signal falls into while it is cleared up, so that Python loses the KeyboardInterrupt."""

from __future__ import annotations

import signal


class Unlucky:
    """Something that sends this process a signal in its finaliser."""

    def __init__(self, number: signal.Signals = signal.SIGINT) -> None:
        self._number = number

    def __del__(self) -> None:
        signal.raise_signal(self._number)
