"""Bytes made from other bytes: flips, cuts, splices, words of the format, numbers, nesting."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

LONGEST = 1 << 16  # bytes of an input
_BYTES = b"\x00\x01\x07\x1b\x7f\x80\xbf\xc0\xed\xfe\xff\t\n\r\"',.-{}[]:/\\"
_NUMBERS = (
    "-1", "0", "1", "127", "128", "255", "65535", "65536", "2147483647", "2147483648",
    "4294967296", "9223372036854775807", "9223372036854775808", "1e308", "1e309", "-0.0", "NaN",
    "Infinity", "-Infinity", "0x10", "1_000", "0.1", "1" + "0" * 400, "9" * 5000,
)  # fmt: skip
_WORDS = (
    "\u2028", "\u202e", "\u0000", "\ufeff", "\U0001f600", "\\ud800", "\\u0000", "=1+1", "../", "/",
    "\x1b[31m", "[red]", "$x$", "<b>", "|", "null", "true", "nan", " ", "a" * 300,
)  # fmt: skip
_NUMBER = re.compile(rb"-?\d+(\.\d+)?")

Change = Callable[[random.Random, bytearray, Sequence[bytes], Sequence[bytes]], bytearray]


def mutated(
    rng: random.Random, content: bytes, corpus: Sequence[bytes], tokens: Sequence[bytes]
) -> bytes:
    """Return `content` after one to eight changes. Args: tokens: words of the file's format."""
    found = bytearray(content)
    for _ in range(1 << rng.randrange(4)):
        found = rng.choice(_CHANGES)(rng, found, corpus, tokens)[:LONGEST]
    return bytes(found)


def _span(rng: random.Random, content: bytearray) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.choice((1, 2, 4, 16, 64, 1024)))


def _flip(rng, content, corpus, tokens):
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return content


def _byte(rng, content, corpus, tokens):
    if content:
        content[rng.randrange(len(content))] = rng.choice(_BYTES)
    return content


def _insert(rng, content, corpus, tokens):
    words = [*tokens, *(word.encode("utf-8", "surrogatepass") for word in _WORDS)]
    start, end = _span(rng, content)
    kept = content[end:] if rng.random() < 0.5 else content[start:]
    return content[:start] + rng.choice(words) + kept


def _cut(rng, content, corpus, tokens):
    start, end = _span(rng, content)
    return content[:start] + content[end:]


def _truncate(rng, content, corpus, tokens):
    return content[: rng.randrange(len(content) + 1)]


def _repeat(rng, content, corpus, tokens):
    start, end = _span(rng, content)
    times = rng.choice((2, 3, 10, 100, 5000))
    return content[:end] + content[start:end] * times + content[end:]


def _splice(rng, content, corpus, tokens):
    other = rng.choice(corpus)
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]


def _number(rng, content, corpus, tokens):
    places = [found.span() for found in _NUMBER.finditer(content)]
    if not places:
        return content
    start, end = rng.choice(places)
    return content[:start] + rng.choice(_NUMBERS).encode() + content[end:]


def _swap(rng, content, corpus, tokens):
    lines = bytes(content).split(b"\n")
    rng.shuffle(lines)
    return bytearray(b"\n".join(lines))


_CHANGES: tuple[Change, ...] = (
    _flip, _byte, _insert, _insert, _cut, _truncate, _repeat, _splice, _number, _number, _swap,
)  # fmt: skip
