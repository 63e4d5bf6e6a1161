"""One process, or the several of an `accelerate launch`."""

from __future__ import annotations

import os
from datetime import timedelta

from mtkd.errors import UserError


class Processes:
    """The processes of an `accelerate launch`, or this one alone.

    Raises: UserError: when there are several, and accelerate would take each for the only one.
    """

    def __init__(self) -> None:
        self._state = None
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count > 1:
            from accelerate import PartialState
            from accelerate.utils import parse_flag_from_env

            # the others wait while the main process prepares: hours, for all of GLUE from the hub
            self._state = PartialState(
                cpu=parse_flag_from_env("ACCELERATE_USE_CPU"),  # which Accelerator looks at alone
                timeout=timedelta(hours=24),
            )
            if self._state.num_processes != count:
                raise UserError(f"launched as {count} processes, and there is no GPU; to run on "
                                "CPUs set ACCELERATE_USE_CPU=true")  # fmt: skip

    @property
    def main(self) -> bool:
        """Return whether this process is the one that writes."""
        return self._state is None or self._state.is_main_process

    def wait(self) -> None:
        """Wait until every process has come here."""
        if self._state is not None:
            self._state.wait_for_everyone()
