"""A row as a person looks at it: what gold, the ensemble and each teacher say, and the texts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from mtkd.inspection.models import ENSEMBLE
from mtkd.inspection.plain import plain
from mtkd.inspection.selection import Selection


@dataclasses.dataclass(frozen=True)
class Opinion:
    """What one teacher, or the ensemble, says of a row.

    prediction: the most probable class's name, or a score. confidence: that class's probability;
    None for a score.
    """

    name: str
    prediction: str | float
    confidence: float | None


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a store.

    gold: the class's name or the score, None where unknown. soft_label: probability by class name,
    or {"score": score}. teachers: in the store's order. measure, value: what the row was ranked by,
    None where by nothing. texts: None where not known, as a store does not hold them.
    """

    guid: str
    gold: str | float | None
    ensemble: Opinion
    soft_label: dict[str, float]
    teachers: tuple[Opinion, ...]
    measure: str | None = None
    value: float | None = None
    texts: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain types, for --json."""
        return dict(plain(self))


def rows_of(selection: Selection, texts: Mapping[str, tuple[str, ...]] | None = None) -> list[Row]:
    """Return the rows of a selection, in its order.

    Args: texts: by guid, where they are known.
    """
    info, chunk = selection.info, selection.chunk
    columns = info.labels or ("score",)
    found = []
    for i, guid in enumerate(chunk.guids.to_pylist()):
        gold = float(chunk.gold[i])
        value = float(selection.values[i])
        named = info.labels[int(gold)] if info.labels and not math.isnan(gold) else gold
        found.append(
            Row(
                guid=guid,
                gold=None if math.isnan(gold) else named,
                ensemble=_opinion(ENSEMBLE, info.labels, chunk.ensemble[i].tolist()),
                soft_label=dict(zip(columns, chunk.ensemble[i].tolist(), strict=True)),
                teachers=tuple(
                    _opinion(teacher.name, info.labels, chunk.teachers[i, k].tolist())
                    for k, teacher in enumerate(info.teachers)
                ),
                measure=selection.measure,
                value=None if math.isnan(value) else value,
                texts=None if texts is None else texts.get(guid),
            )
        )
    return found


def _opinion(name: str, labels: tuple[str, ...], says: list[float]) -> Opinion:
    if not labels:
        return Opinion(name, says[0], None)
    best = max(range(len(labels)), key=says.__getitem__)
    return Opinion(name, labels[best], says[best])
