"""`${student.encoder}` in a recipe or card: another value of the same file, put in its place.

Nothing else of OmegaConf's interpolation is taken: `${oc.env:...}` would write a secret into
recipe.yaml, and a value that depends on the machine makes no recipe.
"""

from __future__ import annotations

import re
from typing import Any

from mtkd.shown import shown

_REFERENCE = re.compile(r"\$\{([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)\}")
_OPEN = "${"
_MAX_SIZE = 2**18  # characters of all values; each value counts 100 more
_VALUE_COST = 100
_MAX_DEPTH = 40
_MAX_BITS = 128  # of an integer, which no key needs
_WORDS = {None: "null", True: "true", False: "false"}


class ReferenceFault(ValueError):
    """A reference leads nowhere, in a circle or to too much; the message names its key."""


def reference_fault(text: str) -> str | None:
    """Say what is wrong with the way references are written in a text, or None."""
    if _OPEN in _REFERENCE.sub("", text) or "\\${" in text:
        return (
            "'${' only stands for another key's value, as in ${student.encoder}; neither the "
            f"environment nor functions are read: {shown(text)}"
        )
    return None


def resolve(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the tree with each reference replaced by what it stands for.

    A value that is one reference takes the other's kind; within a text, it is written out.

    Raises: ReferenceFault: a reference leads nowhere, to itself, or to more than a recipe holds.
    """
    return _Filling(tree).fill(tree, (), ())


class _Filling:
    """One pass through a tree. What it makes is counted as it is made, so that doubling ends."""

    def __init__(self, tree: dict[str, Any]) -> None:
        self.tree = tree
        self.left = _MAX_SIZE
        self.depth = 0

    def fill(self, node: Any, at: tuple[str, ...], trail: tuple[str, ...]) -> Any:
        """Return `node` with its references replaced.

        Args: at: where in the tree the result comes to stand. trail: references being followed.
        """
        self.depth += 1
        filled = self._fill(node, at, trail)
        self.depth -= 1
        return filled

    def _fill(self, node: Any, at: tuple[str, ...], trail: tuple[str, ...]) -> Any:
        self._take(_VALUE_COST, at)
        if self.depth > _MAX_DEPTH:
            raise ReferenceFault(f"{_key(at)}: keys and references are more than {_MAX_DEPTH} deep")
        if isinstance(node, dict):
            return {key: self.fill(value, (*at, str(key)), trail) for key, value in node.items()}
        if isinstance(node, list):
            return [self.fill(value, (*at, str(i)), trail) for i, value in enumerate(node)]
        if isinstance(node, int) and node.bit_length() > _MAX_BITS:
            raise ReferenceFault(f"{_key(at)}: the number is too large for anything")
        if not isinstance(node, str):
            return node
        self._take(len(node), at)
        if whole := _REFERENCE.fullmatch(node):
            return self._follow(whole.group(1), at, trail)
        return self._fill_text(node, at, trail)

    def _fill_text(self, text: str, at: tuple[str, ...], trail: tuple[str, ...]) -> str:
        parts = []
        end = 0
        for found in _REFERENCE.finditer(text):
            value = self._follow(found.group(1), at, trail)
            if isinstance(value, dict | list):
                raise ReferenceFault(f"{_key(at)}: {found.group()} is more than one value, and "
                                     "cannot be part of a text")  # fmt: skip
            parts += [text[end : found.start()], str(_WORDS.get(value, value))]
            end = found.end()
        filled = "".join([*parts, text[end:]])
        if _OPEN in filled:  # `$` and `{` from two places; a saved recipe would read it otherwise
            raise ReferenceFault(f"{_key(at)}: '${{' is left: {shown(filled)}")
        return filled

    def _follow(self, path: str, at: tuple[str, ...], trail: tuple[str, ...]) -> Any:
        if path in trail:
            circle = " -> ".join([*trail, path])
            raise ReferenceFault(f"{_key(at)}: the references lead in a circle: {circle}")
        node: Any = self.tree
        for step in path.split("."):
            if isinstance(node, str) and (whole := _REFERENCE.fullmatch(node)):
                node = self._follow(whole.group(1), at, (*trail, path))
            if isinstance(node, list) and step.isdecimal() and int(step) < len(node):
                node = node[int(step)]
            elif isinstance(node, dict) and step in node:
                node = node[step]
            else:
                raise ReferenceFault(f"{_key(at)}: ${{{path}}}: there is no key {path}")
        return self.fill(node, at, (*trail, path))

    def _take(self, size: int, at: tuple[str, ...]) -> None:
        self.left -= size
        if self.left < 0:
            raise ReferenceFault(f"{_key(at)}: with its references written out it is too large; "
                                 f"at most {_MAX_SIZE} characters in all")  # fmt: skip


def _key(at: tuple[str, ...]) -> str:
    return ".".join(at)
