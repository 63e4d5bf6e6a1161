"""Which ids a file has used, in as little memory as ids that count rows need."""

from __future__ import annotations

_DIGITS = 8  # of the longest id that is kept as a bit: 100 million bits are 12 MB


class SeenIds:
    """The ids of the rows so far: plain numbers as a bit each, as almost all are; others whole."""

    def __init__(self) -> None:
        self._numbers = bytearray()
        self._others: set[str] = set()

    def add(self, identity: str) -> bool:
        """Add an id; return whether it is a new one."""
        if not _is_plain_number(identity):
            before = len(self._others)
            self._others.add(identity)
            return len(self._others) > before
        place, bit = divmod(int(identity), 8)
        if place >= len(self._numbers):
            self._numbers.extend(bytes(place + 1 - len(self._numbers)))
        new = not self._numbers[place] >> bit & 1
        self._numbers[place] |= 1 << bit
        return new


def _is_plain_number(identity: str) -> bool:
    """Return whether the id is a short number written the one usual way; "007" is not 7."""
    if not (len(identity) <= _DIGITS and identity.isascii() and identity.isdecimal()):
        return False
    return identity == "0" or identity[0] != "0"
