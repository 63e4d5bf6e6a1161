"""What is wrong with a recipe or a card, a line a fault: where, what was expected, what was found.

pydantic names a fault by the path to it and a type. Here the path is walked through the models, so
that an unknown key can be compared with the keys that are allowed in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mtkd.errors import did_you_mean

_LONGEST_LINE = 1000  # characters of what is said of one fault
EXPECTED = {
    "int_type": "an integer",
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "keys with values",
    "literal_error": "{expected}",
    "greater_than": "more than {gt:.12g}",
    "greater_than_equal": "at least {ge:.12g}",
    "less_than": "less than {lt:.12g}",
    "less_than_equal": "at most {le:.12g}",
    "too_short": "{min_length} or more entries",
    "too_long": "at most {max_length} entries",
    "string_too_short": "{min_length} or more characters",
    "string_too_long": "at most {max_length} characters",
}


class _Place(NamedTuple):
    """Where a fault is: its path as the user writes it, and the types met there."""

    path: str
    owner: Any  # the type that holds the path's last key
    here: Any  # the type at the path's end; None where an unknown key leads nowhere


def format_faults(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return one line for each fault, in pydantic's order: `a.b.0: expected ..., found ...`.

    A value that fits no member of a union is one fault, not one for each member.

    Args: error: what validating against `model` raised. model: the model at the root.
    """
    wants: dict[tuple[str, str], list[str]] = {}  # (path, what was found) -> what was expected
    for fault in error.errors(include_url=False):
        if fault["type"] == "too_short" and len(fault["input"]) >= fault["ctx"]["min_length"]:
            continue  # entries with a fault of their own are not counted, and told of above
        place = _locate(fault["loc"], model)
        want, found = _describe(fault, place)
        wants.setdefault((place.path, found), []).append(want)
    lines = []
    for (path, found), (want, *others) in wants.items():
        either = [want, *(other.removeprefix("expected ") for other in others)]
        line = (f"{path}: " if path else "") + " or ".join(dict.fromkeys(either)) + found
        lines.append(line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}...")
    return lines


def _describe(fault: ErrorDetails, place: _Place) -> tuple[str, str]:
    """Return what was expected, and what was found (with a hint); the latter may be empty."""
    kind, given, context = fault["type"], fault["input"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        keys = place.owner.model_fields
        return "unknown key", did_you_mean(str(fault["loc"][-1]), keys) or (
            f"; the keys here are {', '.join(keys)}"
        )
    if kind == "missing":
        return "required, but missing", ""
    if kind in {"value_error", "assertion_error"}:
        return str(context["error"]), ""
    if kind in {"model_type", "model_attributes_type"}:
        return f"expected keys with values ({', '.join(place.here.model_fields)})", _found(given)
    if kind not in EXPECTED:
        return fault["msg"][:1].lower() + fault["msg"][1:], _found(given)
    hint = ""
    if kind == "string_type" and isinstance(given, bool | int | float):
        hint = "; put it in quotes"
    if kind == "literal_error" and get_origin(place.here) is Literal:
        hint = did_you_mean(str(given), [str(value) for value in get_args(place.here)])
    return f"expected {EXPECTED[kind].format(**context)}", _found(given) + hint


def _found(value: object) -> str:
    """Return the value as it would be written in YAML, cut to a length that fits a line."""
    words = {None: "null", True: "true", False: "false"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    return f", found {text if len(text) <= 80 else text[:77] + '...'}"


def _locate(path: Sequence[str | int], model: type[BaseModel]) -> _Place:
    """Walk `path` through the types, leaving out what pydantic adds to it and no user wrote."""
    owner: Any = None
    here: Any = model
    steps: list[str] = []
    for step in path:
        if step == "[key]":  # a fault of a dict's key itself
            continue
        members = _members(here)
        if len(members) > 1:  # the step only says which member of the union was tried
            here = next((m for m in members if getattr(m, "__name__", None) == step), None)
            continue
        owner, here = here, _at(members[0] if members else None, step)
        owner = next(iter(_members(owner)), None)
        steps.append(str(step))
    members = _members(here)
    return _Place(".".join(steps), owner, members[0] if len(members) == 1 else None)


def _members(kind: Any) -> list[Any]:
    """Return the members of a union other than None; a list of one for any other type."""
    if get_origin(kind) is Annotated:
        return _members(get_args(kind)[0])
    if get_origin(kind) in {Union, UnionType}:
        return [part for arg in get_args(kind) for part in _members(arg) if part is not NoneType]
    return [] if kind is None else [kind]


def _at(kind: Any, step: str | int) -> Any:
    """Return the type of the entry `step` of a model, dict, tuple or list; None for no such."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(str(step))
        return field.annotation if field else None
    args = get_args(kind)
    if get_origin(kind) is dict:
        return args[1]
    if get_origin(kind) is list or (get_origin(kind) is tuple and args[-1] is Ellipsis):
        return args[0]
    if get_origin(kind) is tuple and isinstance(step, int) and step < len(args):
        return args[step]
    return None
