"""All that is measured of one store, in one pass over it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtkd.inspection.agreement import (
    ClassAgreement,
    ClassAgreements,
    ScoreAgreement,
    ScoreAgreements,
)
from mtkd.inspection.balance import ClassBalance, ClassBalances
from mtkd.inspection.diversity import (
    Decomposition,
    Decompositions,
    Divergence,
    Divergences,
)
from mtkd.inspection.models import model_names
from mtkd.inspection.plain import plain
from mtkd.inspection.quality import ClassQuality, ClassScores
from mtkd.inspection.regression import RegressionQuality, RegressionScores
from mtkd.inspection.stream import Chunk, chunks
from mtkd.soft_labels import StoreInfo, read_info

_LITTLE_MORE = 0.05  # share of rows


@dataclass(frozen=True)
class StoreReport:
    """What a store says, and how good it is.

    rows: all in the store; everything else is measured on those with a soft label. rows_with_gold:
    of those. models: each teacher, then the ensemble. divergence, balance: of classification.
    notes: what a reader of the figures has to know.
    """

    path: Path
    info: StoreInfo
    rows: int
    rows_with_gold: int
    rows_without_soft_label: int
    models: tuple[ClassScores, ...] | tuple[RegressionScores, ...]
    agreement: ClassAgreement | ScoreAgreement
    decomposition: Decomposition
    notes: tuple[str, ...]
    divergence: Divergence | None = None
    balance: tuple[ClassBalance, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it in JSON's types; what is not defined (NaN) is null."""
        content = plain(self)
        info = content.pop("info")
        del info["row_groups"], info["rows"]  # checksums of the file, not of interest here
        return {"path": content.pop("path"), "provenance": info, **content}


def inspect_store(path: Path, title: str | None = None) -> StoreReport:
    """Measure one store; memory does not grow with its rows.

    Args: title: of a progress bar; None draws none.
    Raises: StoreError: not a store, or a damaged one.
    """
    info = read_info(path)
    measures = _Classes(info) if info.labels else _Scores(info)
    rows = rows_with_gold = 0
    for chunk in chunks(path, title):
        measures.add(chunk)
        rows += len(chunk.gold)
        rows_with_gold += int((chunk.gold == chunk.gold).sum())  # NaN is unlike itself
    results = measures.results()
    return StoreReport(
        path=path,
        info=info,
        rows=info.rows,
        rows_with_gold=rows_with_gold,
        rows_without_soft_label=info.rows - rows,
        notes=(*_notes(info, rows_with_gold), *_weakness(results)),
        **results,
    )


class _Classes:
    def __init__(self, info: StoreInfo) -> None:
        teachers, classes = len(info.teachers), len(info.labels)
        self._names, self._labels = model_names(info), info.labels
        self._quality = ClassQuality(teachers + 1)
        self._agreements = ClassAgreements(teachers, classes)
        self._divergences = Divergences(teachers)
        self._decompositions = Decompositions()
        self._balances = ClassBalances(classes)

    def add(self, chunk: Chunk) -> None:
        for part in (self._quality, self._agreements, self._divergences, self._decompositions,
                     self._balances):  # fmt: skip
            part.add(chunk)

    def results(self) -> dict[str, Any]:
        return {
            "models": self._quality.result(self._names),
            "agreement": self._agreements.result(),
            "divergence": self._divergences.result(),
            "decomposition": self._decompositions.result(),
            "balance": self._balances.result(self._labels),
        }


class _Scores:
    def __init__(self, info: StoreInfo) -> None:
        self._names = model_names(info)
        self._quality = RegressionQuality(len(info.teachers) + 1)
        self._agreements = ScoreAgreements(len(info.teachers))
        self._decompositions = Decompositions()

    def add(self, chunk: Chunk) -> None:
        for part in (self._quality, self._agreements, self._decompositions):
            part.add(chunk)

    def results(self) -> dict[str, Any]:
        return {
            "models": self._quality.result(self._names),
            "agreement": self._agreements.result(),
            "decomposition": self._decompositions.result(),
        }


def _weakness(results: dict[str, Any]) -> list[str]:
    """Say so where the ensemble knows little more than which class is the most frequent."""
    balance: tuple[ClassBalance, ...] | None = results.get("balance")
    accuracy = getattr(results["models"][-1], "accuracy", math.nan)
    majority = max((item.gold for item in balance or ()), default=math.nan)
    if not accuracy < majority + _LITTLE_MORE:  # nor where either is unknown
        return []
    return [f"the ensemble is right on {accuracy:.1%} of rows, the most frequent class alone on "
            f"{majority:.1%}: what it says against gold labels means little"]  # fmt: skip


def _notes(info: StoreInfo, rows_with_gold: int) -> tuple[str, ...]:
    found = []
    kind = info.split.split("_")[0]
    if kind == "train" and info.folds == 0 and info.source == "teachers":
        found.append("teachers were trained on these rows: confidence and label errors are "
                     "flattered; soft_labels.folds=5 gives out-of-fold labels")  # fmt: skip
    fitted = info.teacher_temperatures is not None or info.combine in ("dev_score", "fitted")
    if kind == "dev" and fitted:
        found.append(
            "weights or temperatures were fitted on these rows, unless out of fold: the "
            "ensemble is flattered"
        )
    if info.combine != "mean" and len(info.teachers) > 1:
        what = "of probabilities" if info.labels else "of scores"
        found.append(f"the decomposition is of the plain mean {what}, not of this store's ensemble")
    if rows_with_gold == 0:
        found.append("no row has a gold label: nothing can be said of how right the teachers are")
    return tuple(found)
