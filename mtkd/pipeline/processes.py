"""One process, or the several of an `accelerate launch`."""

from __future__ import annotations

import os
from datetime import timedelta


class Processes:
    """The processes of an `accelerate launch`, or this one alone."""

    def __init__(self) -> None:
        self._state = None
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            from accelerate import PartialState

            # the others wait while the main process prepares: hours, for all of GLUE from the hub
            self._state = PartialState(timeout=timedelta(hours=24))

    @property
    def main(self) -> bool:
        """Return whether this process is the one that writes."""
        return self._state is None or self._state.is_main_process

    def wait(self) -> None:
        """Wait until every process has come here."""
        if self._state is not None:
            self._state.wait_for_everyone()
