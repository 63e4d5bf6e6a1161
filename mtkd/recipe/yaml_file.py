"""A recipe or card as plain data, within bounds: whoever wrote the file, refusing it costs little.

YAML has three ways to make much out of little: aliases of aliases, deep nesting, and tags that
build objects. All are seen in the stream of events, before anything is built from it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mtkd.errors import UserError
from mtkd.recipe.references import reference_fault
from mtkd.shown import is_plain, shown

MAX_BYTES = 2**20  # of a file; the largest recipe that comes with mtkd has 4 kB
MAX_SIZE = 2**18  # characters of all values, aliases written out; each value counts 100 more
MAX_TEXT = 10_000  # characters of one value
MAX_DEPTH = 30
_VALUE_COST = 100
_LONGEST = 500  # characters of a message, which may quote a key

# libyaml's, which OmegaConf takes too where it is there: both then see the same events
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlFault(ValueError):
    """A text is no YAML that is read here; the message says what is wrong, and in which line."""


def read_yaml(file: Traversable, where: str, error: type[UserError]) -> dict[str, Any]:
    """Return the keys and values of a YAML file; references are left as they are.

    Args: where: what to call the file in messages. error: what to raise.
    Raises: error: the file cannot be read, is too large, or is not keys and values in YAML.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        raise error(f"{where}: cannot be read: {problem.strerror}") from problem
    if len(content) > MAX_BYTES:
        raise error(
            f"{where}: expected at most {MAX_BYTES:,} bytes; what is larger is no such file"
        )
    try:
        return parse_yaml(content.decode("utf-8"))
    except UnicodeDecodeError as problem:
        raise error(f"{where}: expected UTF-8 text, found {problem}") from problem
    except YamlFault as fault:
        raise error(f"{where}: not valid YAML: {fault}") from fault


def parse_yaml(text: str) -> dict[str, Any]:
    """Return the keys and values that a YAML text means.

    Numbers are as OmegaConf reads them (5e-5 is one), and a key given twice is a fault.

    Raises: YamlFault: it is not YAML, not keys and values, has tags, or means more than a recipe
        or card ever does.
    """
    try:
        _check(text)
        plain = OmegaConf.to_container(OmegaConf.load(io.StringIO(text)), resolve=False)
    except YamlFault:
        raise
    # ValueError: an integer of 5,000 digits
    except (yaml.YAMLError, OmegaConfBaseException, ValueError) as problem:
        raise YamlFault(str(problem)[:_LONGEST]) from problem
    assert isinstance(plain, dict)  # the check has seen to it
    return {str(key): value for key, value in plain.items()}


def parse_value(text: str) -> Any:
    """Return what a YAML text means that may be a single value, as after `key=`.

    Raises: YamlFault: as `parse_yaml`.
    """
    try:
        _check(text, single=True)
        plain = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]), resolve=False)
    except YamlFault:
        raise
    except (yaml.YAMLError, OmegaConfBaseException, ValueError) as problem:
        raise YamlFault(str(problem)[:_LONGEST]) from problem
    assert isinstance(plain, dict)
    return plain["value"]


@dataclass
class _Open:
    """A list or mapping whose end has not come yet."""

    anchor: str | None
    is_mapping: bool
    start: int  # the size of all before it
    values: int = 0  # keys included


def _check(text: str, *, single: bool = False) -> None:
    """Walk the events of a YAML text and raise YamlFault at the first that is not to be had."""
    opened: list[_Open] = []
    anchored: dict[str, int] = {}  # the size of what an anchor names, aliases in it written out
    size = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = f"line {event.start_mark.line + 1}"
        if isinstance(event, yaml.CollectionEndEvent):
            closed = opened.pop()
            if closed.anchor is not None:
                anchored[closed.anchor] = size - closed.start
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        is_key = _check_place(event, opened[-1] if opened else None, line)
        if not (opened or single or isinstance(event, yaml.MappingStartEvent)):
            found = "a list" if isinstance(event, yaml.SequenceStartEvent) else "a single value"
            raise YamlFault(f"{line}: expected keys and values, found {found}")
        before = size
        size += _VALUE_COST
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchored:  # nowhere, or open yet: it would hold itself
                raise YamlFault(f"{line}: *{event.anchor[:_LONGEST]} stands for nothing that is "
                                "whole by then")  # fmt: skip
            size += anchored[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            _check_text(event.value, line, is_key=is_key)
            size += len(event.value)
            if event.anchor is not None:
                anchored[event.anchor] = size - before
        else:
            opened.append(_Open(event.anchor, isinstance(event, yaml.MappingStartEvent), before))
            anchored.pop(event.anchor, None)
        if len(opened) > MAX_DEPTH:
            raise YamlFault(f"{line}: more than {MAX_DEPTH} lists and keys in one another")
        if size > MAX_SIZE:
            raise YamlFault(f"{line}: too much for a recipe or card, aliases written out: over "
                            f"{MAX_SIZE:,} characters, each value counting 100 more")  # fmt: skip


def _check_place(event: yaml.NodeEvent, parent: _Open | None, line: str) -> bool:
    """Refuse a value with a tag, or where none is expected; return whether it is a key."""
    if (tag := getattr(event, "tag", None)) is not None:
        raise YamlFault(f"{line}: tags are not read here, found {shown(tag)}")
    if parent is None:
        return False
    is_key = parent.is_mapping and parent.values % 2 == 0
    parent.values += 1
    if is_key and isinstance(event, yaml.CollectionStartEvent):
        raise YamlFault(f"{line}: expected a key, found a list or more keys")
    return is_key


def _check_text(text: str, line: str, *, is_key: bool) -> None:
    """Refuse a text that is too long, could forge a line, or refers to what is not read."""
    if len(text) > MAX_TEXT:
        raise YamlFault(f"{line}: expected at most {MAX_TEXT:,} characters, found {len(text):,}")
    lines = text if is_key else text.replace("\n", " ").replace("\t", " ")
    if not is_plain(lines):
        raise YamlFault(f"{line}: control characters stand in {shown(text)}; take them out")
    if fault := reference_fault(text):
        raise YamlFault(f"{line}: {fault}")
