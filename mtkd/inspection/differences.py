"""Where two stores come from, and in what that differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mtkd.soft_labels import StoreInfo


@dataclass(frozen=True)
class Difference:
    """One piece of provenance that is not the same; a, b: as text, "" for none."""

    what: str
    a: str
    b: str


def provenance_differences(a: StoreInfo, b: StoreInfo) -> tuple[Difference, ...]:
    """Return what is not the same in two stores' provenance."""
    pairs = zip(_provenance(a).items(), _provenance(b).values(), strict=True)
    return tuple(
        Difference(what, _text(found), _text(other))
        for (what, found), other in pairs
        if found != other
    )


def _provenance(info: StoreInfo) -> dict[str, Any]:
    return {
        "task": info.task,
        "split": info.split,
        "rows": info.rows,
        "class order": info.labels,
        "temperature": info.temperature,
        "combination": info.combine,
        "shares of teachers": info.weights,
        "temperatures of teachers": info.teacher_temperatures,
        "folds": info.folds,
        "source": info.source,
        "teachers": tuple(teacher.name for teacher in info.teachers),
        "encoders": tuple(teacher.encoder for teacher in info.teachers),
        "weights": tuple(teacher.sha256 for teacher in info.teachers),
        "data fingerprint": info.data_fingerprint,
    }


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_text, value))
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)
