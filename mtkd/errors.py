"""Everything mtkd raises on purpose, and the exit code that each kind ends with.

MtkdError
├── UserError              exit 2: the recipe, the data or the arguments are wrong
│   ├── RecipeError        a recipe or an override
│   ├── CardError          a task card
│   ├── DataError          a data file: path, line, what was expected, what was found
│   ├── EncoderError       an encoder that cannot be had or used
│   ├── StoreError         soft labels that do not fit what they are joined to
│   ├── SubmissionError    a submission that the server would refuse
│   └── RunDirError        a run directory that is somebody else's, broken, or stale and dear
├── RunFailed              exit 1: the run itself failed and can be resumed
│   └── Diverged           a loss that is NaN or infinite
├── Interrupted            exit 130: stopped by a signal after saving, resumable
└── ShapeError             tensors that do not fit; a fault in a caller
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

from mtkd.shown import shown

_LONGEST_WORD, _MOST_WORDS = 80, 300


class MtkdError(Exception):
    """Base of all errors raised by mtkd."""

    exit_code = 1


class UserError(MtkdError):
    """What the user gave is wrong; the message says where, what was expected, and what to do."""

    exit_code = 2


class RecipeError(UserError):
    """A recipe or an override is wrong."""


class CardError(UserError):
    """A task card is wrong."""


class DataError(UserError):
    """A data file is wrong."""


class EncoderError(UserError):
    """An encoder cannot be had or used."""


class StoreError(UserError):
    """A soft-label store does not fit the data, or is broken."""


class SubmissionError(UserError):
    """A submission that the GLUE server would refuse."""


class RunDirError(UserError):
    """A run directory cannot be used as asked."""


class RunFailed(MtkdError):
    """The run failed for no fault of its input; the same command resumes it."""


class Diverged(RunFailed):
    """A loss is NaN or infinite."""


class Interrupted(MtkdError):
    """A signal stopped the run after it had saved its state."""

    exit_code = 130


class ShapeError(MtkdError, ValueError):
    """Tensors whose shapes do not fit together."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the closest known word, or an empty string."""
    if len(word) > _LONGEST_WORD:  # no slip of the pen, and slow to compare
        return ""
    words = (each for each in known if len(each) <= _LONGEST_WORD)
    close = get_close_matches(word, list(islice(words, _MOST_WORDS)), n=1, cutoff=0.6)
    return f"; did you mean {shown(close[0])}?" if close else ""
