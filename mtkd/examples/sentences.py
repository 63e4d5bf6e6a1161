"""Texts cut at ends of sentences by a plain rule, and long ones into parts."""

from __future__ import annotations

import re
from collections.abc import Iterator

_CLOSE, _OPEN = "\"'”’»)\\]}", "\"'“‘„«(\\[{"  # noqa: RUF001
# Possessive and from the start of a run only, or a line of a million full stops would take hours.
_END = re.compile(
    rf"(?<![.!?…])(?P<stops>[.!?…]++)[{_CLOSE}]*+(?=\s++[{_OPEN}]*+(?P<next>.))"
    rf"|[。！？]++[{_CLOSE}」』]*+"  # noqa: RUF001
    r"|\n[^\S\n]*+\n"
)
_WORD_BEFORE = re.compile(r"[^\W\d_]+(?:\.[^\W\d_]+)*$")
_LONGEST_ABBREVIATION = 8  # characters
_GO_ON = {
    *("mr", "mrs", "ms", "dr", "prof", "st", "rev", "hon", "messrs", "mt"),
    *("gen", "col", "lt", "sgt", "capt", "sen", "rep", "gov"),
    *("vs", "cf", "e.g", "i.e"),
}  # abbreviations that something always comes after
_PART = 100_000  # characters


def sentences(text: str) -> Iterator[str]:
    """Yield a text's sentences, without white space around them; none of them is empty.

    A sentence ends after `.`, `!`, `?` or `…`, or several, and the quotes and brackets that close
    there, where white space follows and then anything but a small letter; after `。`, `！` and `？`
    anywhere; at an empty line. It goes on after one full stop that follows a capital by itself, as
    in initials, but for I, or a title or such that never ends one: Mr., Dr., Gen., vs., e.g.

    The rule knows no language. It leaves sentences together where the next starts with a small
    letter, as in text that is all small letters.
    """
    start = 0
    for found in _END.finditer(text):
        if found["stops"] and (found["next"].islower() or _is_abbreviation(text, found)):
            continue
        if sentence := text[start : found.end()].strip():
            yield sentence
        start = found.end()
    if sentence := text[start:].strip():
        yield sentence


def parts(text: str) -> Iterator[str]:
    """Yield a text in parts of at most 100,000 characters, cut before white space where there is.

    A tokenizer takes hundreds of bytes a character. Joined, the parts are the text.
    """
    start = 0
    while len(text) - start > _PART:
        end = start + _PART
        space = max(text.rfind(" ", start + 1, end), text.rfind("\n", start + 1, end))
        end = end if space < 0 else space
        yield text[start:end]
        start = end
    yield text[start:]


def _is_abbreviation(text: str, found: re.Match[str]) -> bool:
    if found["stops"] != ".":
        return False
    at = found.start()
    word = _WORD_BEFORE.search(text[max(0, at - _LONGEST_ABBREVIATION) : at])
    if word is None:
        return False
    is_initial = len(word[0]) == 1 and word[0].isupper() and word[0] != "I"
    return is_initial or word[0].lower() in _GO_ON
