"""What can be wrong between the keys of a card: each check returns the fault, or None."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import PurePosixPath

from mtkd.errors import did_you_mean
from mtkd.recipe.names import twins
from mtkd.recipe.schema import HeadSettings

METRICS = {
    "classification": {"accuracy", "f1", "matthews"},
    "regression": {"pearson", "spearman"},
}


def refuse(*faults: str | None) -> None:
    """Raise ValueError with all of `faults` that are not None, for pydantic to catch."""
    if found := [fault for fault in faults if fault]:
        raise ValueError("; ".join(found))


def unknown(word: str, known: Collection[str], what: str) -> str:
    """Return the fault of a word that is not among the known ones."""
    return f"expected {what} ({', '.join(known)}), found {word!r}{did_you_mean(word, known)}"


def repeated(words: Sequence[object], what: str) -> str | None:
    """Return a fault where a word stands twice."""
    twice = [str(word) for word in words if words.count(word) > 1]
    return f"{what} {twice[0]!r} stands here twice" if twice else None


def labels_fault(kind: str, labels: Sequence[str]) -> str | None:
    """Two or more labels for classification, none for regression."""
    if kind == "regression":
        return "regression has no labels; leave them out" if labels else None
    few = f"classification needs two or more, found {', '.join(labels) or 'none'}"
    return few if len(labels) < 2 else repeated(labels, "the label")


def range_fault(kind: str, bounds: tuple[float, float] | None) -> str | None:
    """A range for regression alone, its lower bound first."""
    if kind == "classification":
        return None if bounds is None else "classification has none; leave it out"
    if bounds is None:
        return "regression needs the range of its scores, such as [0, 5]"
    return f"expected the lower bound first, found {bounds}" if bounds[0] >= bounds[1] else None


def metrics_fault(kind: str, metrics: Sequence[str], has_positive: bool) -> str | None:
    """Metrics that the kind of task has; F1 needs a positive label."""
    if wrong := [name for name in metrics if name not in METRICS[kind]]:
        return unknown(wrong[0], sorted(METRICS[kind]), f"those of {kind}")
    if "f1" in metrics and not has_positive:
        return "f1 needs `positive`, the label it is the F1 of"
    return repeated(metrics, "the metric")


def twins_fault(names: Iterable[str], what: str) -> str | None:
    """Names of files that macOS and Windows take for one."""
    alike = twins(names)
    return f"{what} {alike[0]} would share a file on macOS or Windows" if alike else None


def columns_fault(renamed: Iterable[str], columns: Collection[str]) -> str | None:
    """Only the card's own columns can be renamed."""
    wrong = [name for name in renamed if name not in columns]
    return f"columns: {unknown(wrong[0], columns, 'texts or label')}" if wrong else None


def layout_fault(path: str, header: bool, wanted: Sequence[str | int]) -> str | None:
    """Names where the file has them, positions where it has none, and no column for two things."""
    names = [column for column in wanted if isinstance(column, str)]
    if PurePosixPath(path).suffix not in {".tsv", ".csv"} and (
        not header or len(names) < len(wanted)
    ):
        return f"{path} gives its columns by name: leave out header, and name the columns"
    if not header and names:
        return f"without a header, columns are given by position, not as {names[0]!r}"
    return repeated(wanted, "the column")


def majority_fault(
    majority: str, labels: Sequence[str], bounds: tuple[float, float] | None
) -> str | None:
    """What fills a submission must be one of its labels, or a number in the range."""
    if labels:
        return None if majority in labels else unknown(majority, labels, "one of labels")
    try:
        inside = bounds is None or bounds[0] <= float(majority) <= bounds[1]
    except ValueError:
        inside = False
    return None if inside else f"expected a number in {bounds}, found {majority!r}"


def head_fault(
    head: HeadSettings, texts: Sequence[str], labels: Sequence[str], positive: str | None
) -> str | None:
    """Say why a task with these texts, labels and positive label cannot have the head, or None."""
    if head.type in {"san", "ranking"} and len(texts) != 2:
        return f"{head.type} compares two texts; this task has {len(texts)}"
    if head.type == "ranking" and len(labels) != 2:
        return f"ranking needs a task of two labels; this one has {len(labels)}"
    if head.type == "ranking" and positive is None:
        return "ranking needs `positive`, the label that means relevant"
    return None
