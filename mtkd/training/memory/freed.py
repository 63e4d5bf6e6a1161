"""What the C library keeps of freed memory, given back before it is much more than a step needs."""

from __future__ import annotations

import math

import torch

from mtkd.devices import give_back_freed_memory

_KEPT = 1.5  # times what an update needs
_ROOM = 2**30  # bytes beside, for what no gradient is taken of and no plan counts: a teacher's pass


class FreedMemory:
    """Watches how much memory a training on a CPU holds, between one update and the next.

    Freed memory is kept for the next update (`mtkd.devices.keep_freed_memory`). Where blocks of
    ever other sizes come and go, as logits of so many tokens, it is left in gaps that fit none of
    the next ones, and more is asked for, without end.
    """

    def __init__(self, needed: int | None, device: torch.device) -> None:
        """Begin to watch, before the first update.

        Args: needed: bytes that an update takes; None where that is not known.
        """
        on_heap = needed is not None and device.type == "cpu"
        self._needed = needed or 0
        self._most = resident_bytes() + _KEPT * self._needed + _ROOM if on_heap else math.inf

    def give_back(self) -> None:
        """Give back what is freed, if more is held than an update and a half, and a GB, need."""
        if self._most == math.inf or resident_bytes() <= self._most:
            return
        give_back_freed_memory()
        # where it is in use, asking again after every update would only cost time
        self._most = max(self._most, resident_bytes() + (_KEPT - 1) * self._needed + _ROOM)


def resident_bytes() -> int:
    """Return the bytes of memory that this process holds."""
    import psutil

    return int(psutil.Process().memory_info().rss)
