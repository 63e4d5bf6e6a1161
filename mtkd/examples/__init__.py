"""Rows of a task, read from wherever they are."""

from mtkd.examples.cap import cap
from mtkd.examples.example import Example
from mtkd.examples.fingerprint import Fingerprint, fingerprint
from mtkd.examples.prepared import PreparedSplit, SplitInfo, tokenise
from mtkd.examples.read import has_split, read_examples, split_path
from mtkd.examples.rows import ReadReport

__all__ = [
    "Example",
    "Fingerprint",
    "PreparedSplit",
    "ReadReport",
    "SplitInfo",
    "cap",
    "fingerprint",
    "has_split",
    "read_examples",
    "split_path",
    "tokenise",
]
