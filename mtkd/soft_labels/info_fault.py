"""A store may come from anywhere: what it says of itself goes into names of files and tables."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mtkd.shown import is_plain, shown

if TYPE_CHECKING:
    from mtkd.soft_labels.info import StoreInfo

COMBINATIONS = ("mean", "logits", "dev_score", "fitted", "trimmed")
_WORD = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}", re.ASCII
)  # becomes a file's or folder's name
_HEX = re.compile(r"[0-9a-f]{64}")
_LONGEST_NAME = 1000  # characters
_MOST = 10_000  # classes, teachers


def info_fault(info: StoreInfo) -> str:
    """Return what is wrong with a store's metadata, by their types and values; "" if nothing."""
    count = len(info.teachers)
    named = [(t.name, t.encoder, t.sha256) for t in info.teachers]
    right = {
        "task": _is_text(info.task) and _WORD.fullmatch(info.task),
        "split": _is_text(info.split) and _WORD.fullmatch(info.split),
        "labels": all(map(_is_name, info.labels)) and len(set(info.labels)) == len(info.labels),
        "temperature": _is_number(info.temperature) and info.temperature > 0,
        "teachers": count > 0 and all(_is_name(text) for texts in named for text in texts),
        "data_fingerprint": _is_text(info.data_fingerprint) and is_plain(info.data_fingerprint),
        "combine": info.combine in COMBINATIONS,
        "weights": _are_numbers(info.weights, count),
        "teacher_temperatures": _are_numbers(info.teacher_temperatures, count)
        and all(value > 0 for value in info.teacher_temperatures or ()),
        "folds": _is_count(info.folds),
        "source": info.source in ("teachers", "imported"),
        "rows": _is_count(info.rows),
        "row_groups": all(_is_text(x) and _HEX.fullmatch(x) for x in info.row_groups),
        "number of classes and teachers": len(info.labels) <= _MOST and count <= _MOST,
    }
    for key, is_right in right.items():
        if not is_right:
            return f"{key}: {shown(getattr(info, key, ''))}"
    return ""


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and is_plain(value)


def _is_number(value: Any) -> bool:
    if not isinstance(value, float | int) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _are_numbers(values: Sequence[Any] | None, count: int) -> bool:
    return values is None or (len(values) == count and all(map(_is_number, values)))
