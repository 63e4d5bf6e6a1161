"""Soft labels in an .npy, and the guids of its rows in a text file."""

from __future__ import annotations

import warnings
from itertools import islice
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray

from mtkd.errors import DataError
from mtkd.shown import is_plain, reason, shown
from mtkd.soft_labels.foreign_rows import LONGEST_GUID

# what numpy raises for a header that is none: it is a dictionary in Python's own writing
_UNREADABLE = (
    OSError, ValueError, EOFError, MemoryError, OverflowError, TypeError, KeyError, IndexError,
    SyntaxError, RecursionError, TokenError, AttributeError, Warning
)  # fmt: skip


def read_array(path: Path) -> NDArray[np.generic]:
    """Map an .npy into memory: a header that claims more than the file has is refused.

    Raises: DataError: it is no .npy, or one of Python objects.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a header that numpy has to guess at
            return np.lib.format.open_memmap(path, mode="r")
    except _UNREADABLE as error:
        raise DataError(f"{path}: cannot be read as .npy: {reason(error)}") from error


def read_guids(path: Path, expected: int, array: Path) -> list[str]:
    """Return the lines of a text file.

    Raises: DataError: there are not `expected` of them, or one is no guid.
    """
    from mtkd.examples.lines import read_lines

    lines = islice(read_lines(path), expected + 1)
    guids = [line.removesuffix("\n").removesuffix("\r") for line in lines]
    if len(guids) != expected:
        found = f"{len(guids)} lines" if len(guids) < expected else f"{len(guids)} lines or more"
        raise DataError(f"{path}: {found}, expected {expected}, one guid a row of {array}")
    for number, guid in enumerate(guids, start=1):
        if not guid or len(guid) > LONGEST_GUID or not is_plain(guid):
            raise DataError(f"{path}:{number}: expected a guid, such as rte/train/17, found "
                            f"{shown(guid)}")  # fmt: skip
    return guids
