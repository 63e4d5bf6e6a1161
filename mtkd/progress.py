"""Progress bars: live on a terminal, an occasional line in a log file."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

_TERMINAL_SECONDS, _LOG_SECONDS = 0.1, 30.0


def progress_bar(total: int, title: str, unit: str, *, shown: bool, done: int = 0) -> tqdm[Any]:
    """Return a bar that goes from `done` to `total` and leaves no trace on a terminal.

    Args: shown: whether it is drawn at all; of several processes only one should.
    """
    return tqdm(
        total=total,
        initial=done,
        desc=title,
        unit=unit,
        disable=not shown,
        leave=False,
        mininterval=_TERMINAL_SECONDS if sys.stderr.isatty() else _LOG_SECONDS,
        delay=0 if sys.stderr.isatty() else _LOG_SECONDS,  # short ones leave no line in a log
    )
