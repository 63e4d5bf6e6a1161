"""Text from elsewhere (data, cards, stores, file names), shown so that it cannot pass for ours.

A terminal obeys control characters, a log is read line by line, and marks of direction make text
read otherwise than it is: what a file holds must not write a line of its own.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable
from itertools import islice

_CONTROLS = (
    "\x00-\x1f\x7f-\x9f"  # C0 with tab and line ends, DEL, C1
    "\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"  # unseen, or turn the text round
    "\u2028\u2029"  # line ends for some
    "\ufff9-\ufffb\U000e0000-\U000e007f"  # annotations, tags
    "\ud800-\udfff"  # halves of a pair, as in file names that are no UTF-8: cannot be printed
)
_CONTROL = re.compile(f"[{_CONTROLS}]")
_CONTROL_IN_LINE = re.compile(f"(?!\n)[{_CONTROLS}]")
_INDENT = "  "  # of a message's further lines: none of them starts where a message does
_LONGEST = 120  # characters of a value that a message quotes
_MOST = 20  # names that a message lists
_ENOUGH = 500  # characters of them after which it lists no more

_quoting = reprlib.Repr()
_quoting.maxstring = _quoting.maxother = _quoting.maxlong = _LONGEST
_quoting.maxlevel = 3


def is_plain(text: str) -> bool:
    """Return whether a text is one line, without control characters or marks of direction."""
    return _CONTROL.search(text) is None


def printable(text: str) -> str:
    """Return a message or cell as it may be printed: controls escaped, further lines indented."""
    if is_plain(text):
        return text
    escaped = _CONTROL_IN_LINE.sub(lambda found: repr(found[0])[1:-1], text)
    return escaped.replace("\n", f"\n{_INDENT}")


def shown(value: object) -> str:
    """Return a value for a message: quoted as by repr, with its middle cut out where it is long."""
    if isinstance(value, int) and value.bit_length() > _LONGEST * 3:  # Python may refuse its digits
        return f"an integer of {value.bit_length()} bits"
    return _quoting.repr(value)


def reason(error: BaseException) -> str:
    """Return the first line of another library's error for a message, or its kind."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return first if len(first) <= 2 * _LONGEST else f"{first[: 2 * _LONGEST]}..."


def several(names: Iterable[object], most: int = _MOST) -> str:
    """Return the first names for a message, each as by `shown`, and how many more there are."""
    rest = iter(names)
    found: list[str] = []
    for name in islice(rest, most):
        found.append(shown(name))
        if sum(map(len, found)) > _ENOUGH:
            break
    if more := sum(1 for _ in rest):
        found.append(f"and {more:,} more")
    return ", ".join(found) or "none"
