"""Rows of a task, read from wherever they are. Tokenised, for torch: mtkd.examples.prepared."""

from mtkd.examples.cap import cap
from mtkd.examples.example import Example
from mtkd.examples.fingerprint import Fingerprint, fingerprint
from mtkd.examples.folds import Fold, fold_numbers
from mtkd.examples.read import has_split, read_examples, split_path
from mtkd.examples.rows import ReadReport
from mtkd.examples.tokenise import SplitInfo, tokenise

__all__ = [
    "Example",
    "Fingerprint",
    "Fold",
    "ReadReport",
    "SplitInfo",
    "cap",
    "fingerprint",
    "fold_numbers",
    "has_split",
    "read_examples",
    "split_path",
    "tokenise",
]
