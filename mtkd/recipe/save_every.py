"""`training.save_every`: how often a training saves its state, as a recipe writes it."""

from __future__ import annotations

import dataclasses
import re

# ASCII digits, few enough that no number of them is out of range
_STEPS = re.compile(r"([0-9]{1,9}) steps?")
_MINUTES = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) minutes?")


@dataclasses.dataclass(frozen=True)
class SaveInterval:
    """What lies between two saves: a number of updates or of minutes; the other is None."""

    steps: int | None = None
    minutes: float | None = None


def parse_save_every(text: object) -> SaveInterval:
    """Return the interval that a text like "200 steps" or "0.5 minutes" stands for.

    Raises: ValueError: anything else; says what is expected.
    """
    if isinstance(text, str):
        if (found := _STEPS.fullmatch(text)) and int(found[1]) > 0:
            return SaveInterval(steps=int(found[1]))
        if found := _MINUTES.fullmatch(text):
            return SaveInterval(minutes=float(found[1]))
    shown = repr(text)
    raise ValueError(
        'expected a number of steps or of minutes, such as "200 steps", "5 minutes" or '
        f'"0.5 minutes", found {shown if len(shown) <= 80 else shown[:77] + "..."}'
    )


def check_save_every(text: object) -> object:
    """Return `text` as it is, once it is known to be an interval.

    Raises: ValueError: as `parse_save_every`.
    """
    parse_save_every(text)
    return text
