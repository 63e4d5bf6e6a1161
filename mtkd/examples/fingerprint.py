"""SHA-256 of a split's rows: what soft labels were made from, and what they may be joined to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from mtkd.examples.example import Example

_to_json = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps makes one for each call


class Fingerprint:
    """A fingerprint that grows row by row; the order of rows counts."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, example: Example) -> None:
        """Add a row, as a line of JSON: no two different rows are written alike."""
        label = None if example.label is None else float(example.label)
        line = _to_json([example.guid, example.texts, label])
        self._hash.update(line.encode() + b"\n")

    def hexdigest(self) -> str:
        """Return the fingerprint of the rows so far."""
        return self._hash.hexdigest()


def fingerprint(examples: Iterable[Example]) -> str:
    """Return the SHA-256 over guid, texts and label of all rows, in their order."""
    rows = Fingerprint()
    for example in examples:
        rows.add(example)
    return rows.hexdigest()
