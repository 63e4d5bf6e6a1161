"""A store's report as text, within 100 columns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from mtkd.inspection.agreement import ClassAgreement, ScoreAgreement
from mtkd.inspection.balance import ClassBalance
from mtkd.inspection.quality import ClassScores
from mtkd.inspection.regression import RegressionScores
from mtkd.inspection.report import StoreReport
from mtkd.inspection.words import all_shortened, first_few, folded, number, percent, shortened
from mtkd.soft_labels import StoreInfo

Block = tuple[str, list[str], list[list[str]]]  # title, header, rows; no header: a title alone

_NAME = 30  # columns for the name of a model or encoder
_CLASSES = 8  # shown of a class balance
_COMBINATIONS = {
    "mean": "mean of {}",
    "logits": "mean of logits",
    "dev_score": "mean of {} weighted by dev score",
    "fitted": "log-linear, fitted weights",
    "trimmed": "trimmed mean of {}",
}


def report_blocks(report: StoreReport) -> list[Block]:
    """Return the blocks to print of one store.

    Its heading, notes and scores of each teacher and the ensemble; how teachers agree, and class
    balance; who the teachers are.
    """
    heading = "\n".join([_heading(report), *(folded(f"note: {note}") for note in report.notes)])
    agreement = "\n".join(folded(line) for line in _agreement_lines(report))
    blocks: list[Block] = [(heading, *_scores(report))]
    if report.balance is not None:
        blocks.append((agreement, *_balance(report.balance)))
    elif agreement:
        blocks.append((agreement, [], []))
    blocks.append((f"made from data {report.info.data_fingerprint[:12]}", *_teachers(report.info)))
    return blocks


def combination(info: StoreInfo) -> str:
    """Return in words how a store's teachers are combined."""
    if not info.labels and info.combine == "logits":
        return "mean of scores"
    words = _COMBINATIONS.get(info.combine, info.combine)
    return words.format("probabilities" if info.labels else "scores")


def _heading(report: StoreReport) -> str:
    info = report.info
    rows = f"{report.rows:,} rows"
    without = {
        "gold": report.rows - report.rows_without_soft_label - report.rows_with_gold,
        "soft label": report.rows_without_soft_label,
    }
    missing = [f"{count:,} without {what}" for what, count in without.items() if count]
    teachers = len(info.teachers)
    parts = [
        f"{rows} ({', '.join(missing)})" if missing else rows,
        f"{teachers} teacher{'s' if teachers != 1 else ''}",
    ]
    if info.labels:
        parts += [f"classes: {first_few(info.labels, 100)}", f"T {info.temperature:g}"]
    parts.append(combination(info))
    if info.teacher_temperatures is not None:
        parts.append("teachers calibrated")
    if info.source != "teachers":
        parts.append(info.source)
    elif info.folds:
        parts.append(f"out of fold ({info.folds} folds)")
    elif info.split.split("_")[0] == "train":
        parts.append("in fold")
    return folded(f"{info.task}/{info.split}  {', '.join(parts)}")


def _scores(report: StoreReport) -> tuple[list[str], list[list[str]]]:
    names = all_shortened([model.name for model in report.models], _NAME)
    if report.info.labels:
        header = ["model", "acc %", "NLL", "Brier", "ECE", "ECE adaptive", "entropy", "max prob"]
    else:
        header = ["model", "Pearson", "MSE", "mean", "std", "lowest", "highest"]
    rows = []
    models: tuple[ClassScores | RegressionScores, ...] = report.models
    for name, model in zip(names, models, strict=True):
        values = astuple(model)[1:]
        first = percent(values[0]) if isinstance(model, ClassScores) else number(values[0])
        rows.append([name, first, *map(number, values[1:])])
    return header, rows


def _agreement_lines(report: StoreReport) -> list[str]:
    teachers = [shortened(teacher.name, _NAME) for teacher in report.info.teachers]
    found = report.agreement
    if len(teachers) < 2:
        return ["class balance:"] if report.balance is not None else []
    lines = []
    if isinstance(found, ClassAgreement) and report.divergence is not None:
        lines.append(
            f"teachers agree on {_or_unknown(percent(found.mean_share))} % of rows"
            f"{_lowest(found.share, teachers, percent)}, Cohen's kappa "
            f"{_or_unknown(number(found.mean_kappa))}; mean KL "
            f"{_or_unknown(number(report.divergence.mean_kl))} nats"
        )
    elif isinstance(found, ScoreAgreement):
        lines.append(
            f"teachers correlate at {_or_unknown(number(found.mean_pearson))}"
            f"{_lowest(found.pearson, teachers, number)}; standard deviation over teachers "
            f"{_or_unknown(number(found.mean_deviation))} (mean), "
            f"{_or_unknown(number(found.largest_deviation))} (largest)"
        )
    terms = report.decomposition
    if math.isfinite(terms.mean_error):
        error = "Brier score" if report.info.labels else "squared error"
        lines.append(
            f"{error} of the teachers' mean {number(terms.error_of_mean, 4)} = mean of theirs "
            f"{number(terms.mean_error, 4)} - ambiguity {number(terms.ambiguity, 4)}"
        )
    return lines


def _lowest(matrix: NDArray[np.float64], names: list[str], form: Callable[[float], str]) -> str:
    """Return the lowest pair in brackets, where there are several to choose from."""
    pairs = np.where(np.triu(np.isfinite(matrix), 1), matrix, np.inf)
    if len(names) < 3 or not np.isfinite(pairs).any():
        return ""
    i, j = np.unravel_index(int(pairs.argmin()), pairs.shape)
    return f" (lowest {form(float(pairs[i, j]))}, {names[i]} and {names[j]})"


def _or_unknown(cell: str) -> str:
    return cell or "unknown"


def _balance(balance: tuple[ClassBalance, ...]) -> tuple[list[str], list[list[str]]]:
    shown = balance if len(balance) <= _CLASSES + 1 else balance[:_CLASSES]
    names = all_shortened([item.label for item in shown], 40)
    shares = [list(astuple(item)[1:]) for item in shown]
    if more := balance[len(shown) :]:
        names.append(f"{len(more)} more")
        shares.append([sum(values) for values in zip(*(astuple(i)[1:] for i in more), strict=True)])
    header = ["class", "gold %", "soft label %", "most probable %"]
    return header, [[name, *map(percent, row)] for name, row in zip(names, shares, strict=True)]


def _teachers(info: StoreInfo) -> tuple[list[str], list[list[str]]]:
    header = ["teacher", "encoder", "weights"]
    names = all_shortened([teacher.name for teacher in info.teachers], _NAME)
    rows = [
        [name, shortened(teacher.encoder, _NAME), teacher.sha256[:12]]
        for name, teacher in zip(names, info.teachers, strict=True)
    ]
    for title, values in (("share", info.weights), ("own T", info.teacher_temperatures)):
        if values is not None:
            header.append(title)
            rows = [[*row, number(value)] for row, value in zip(rows, values, strict=True)]
    return header, rows
