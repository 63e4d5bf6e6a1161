"""Names, numbers and sentences cut to the width of a terminal."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

WIDTH = 100


def shortened(text: str, width: int) -> str:
    """Return `text`, its middle replaced by an ellipsis where it is longer than `width`."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def all_shortened(names: Sequence[str], width: int) -> list[str]:
    """Return names cut to `width`; where that leaves two alike, all are numbered."""
    found = [shortened(name, width) for name in names]
    if len(set(found)) < len(set(names)):
        return [shortened(f"{i} {name}", width) for i, name in enumerate(names, 1)]
    return found


def first_few(names: Sequence[str], width: int) -> str:
    """Return as many names as fit into `width`, and how many more there are."""
    found = ""
    for i, name in enumerate(names):
        longer = f"{found}, {name}" if found else shortened(name, width)
        if i and len(longer) > width:
            return f"{found} and {len(names) - i} more"
        found = longer
    return found


def folded(text: str) -> str:
    """Return `text` in lines of at most 100 columns, those after the first indented."""
    return "\n".join(textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False))


def number(value: float, digits: int = 3) -> str:
    """Return a number for a cell; nothing for one that is not defined."""
    if not math.isfinite(value):
        return ""
    return f"{value:.{digits}f}" if abs(value) < 10_000 else f"{value:.4g}"


def percent(value: float) -> str:
    """Return a share as a percentage for a cell."""
    return number(100 * value, 1)
