"""How much memory a block takes at its peak."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@contextmanager
def within(megabytes: int) -> Iterator[None]:
    """Fail where the process grows by more than that inside the block."""
    try:
        _RESET.write_text("5")  # the peak so far is forgotten
    except OSError as error:
        pytest.skip(f"peak memory cannot be measured here: {error}")
    before = _megabytes("VmRSS")
    yield
    grown = _megabytes("VmHWM") - before
    assert grown <= megabytes, f"{grown:.0f} MB"


def _megabytes(key: str) -> float:
    found = re.search(rf"{key}:\s+(\d+) kB", _STATUS.read_text())
    assert found is not None
    return int(found[1]) / 1024
