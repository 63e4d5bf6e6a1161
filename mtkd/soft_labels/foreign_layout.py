"""Which columns of a file hold soft labels, what kind they are, and which class each stands for."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Sequence

from mtkd.errors import DataError, did_you_mean
from mtkd.shown import is_plain, several, shown
from mtkd.task import Task

_GUID = "guid"
_MOST_COLUMNS = 10_000
_BESIDE = {_GUID, "label", "probs", "logits", "score"}  # what a store has

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where soft labels stand in a file with a header.

    columns: one of lists, or one a class. kind: probs, logits or score. labels: the class of each
    number, in the file's order; none for scores. named: whether the file says so. is_list: whether
    `columns` is one of lists. alternative: where the same soft labels stand combined.
    """

    columns: tuple[str, ...]
    kind: str
    labels: tuple[str, ...]
    named: bool
    is_list: bool
    alternative: Layout | None = None

    @property
    def outputs(self) -> int:
        """Width of a row's soft label."""
        return len(self.labels) or 1


def choose_layout(
    where: str, header: Sequence[str], task: Task, labels: Sequence[str] | None, values: str | None
) -> Layout:
    """Find the soft labels in a header.

    Raises: DataError: they are not there, there twice, of classes that the card does not have, or
        the names leave open what they are.
    """
    if len(header) > _MOST_COLUMNS:
        raise DataError(f"{where}: expected at most {_MOST_COLUMNS:,} columns, found "
                        f"{len(header):,}")  # fmt: skip
    counts = Counter(header)
    for column in (_GUID, *header):
        if counts[column] != 1:
            state = "twice or more" if column in header else "not there"
            raise DataError(f"{where}: expected one column {shown(column)}, which is {state}; the "
                            f"file's are {several(header)}"
                            f"{did_you_mean(column, filter(is_plain, header))}")  # fmt: skip
    lists = [name for name in ("logits", "probs" if task.labels else "score") if name in header]
    per_class = _class_columns(where, header, task)
    if lists and per_class:
        raise DataError(f"{where}: soft labels in {', '.join(lists)} and in "
                        f"{', '.join(per_class)}; leave one or the other out")  # fmt: skip
    if per_class:
        kind = _per_class_kind(where, list(per_class), values)
        order = ordered_labels(where, task, labels, tuple(per_class.values()))
        found = Layout(tuple(per_class), kind, order, named=True, is_list=False)
        unread = [column for column in header if column not in {_GUID, *per_class}]
        if unread:
            log.info("%s: columns not read: %s", where, several(unread))
        return found
    if values is not None:
        lists = [name for name in lists if name == values]
    if not lists:
        wanted = f"no soft labels{f' of --values {values}' if values else ''}"
        names = () if values else (*task.labels, "probs", "logits", "score")
        close = filter(None, (did_you_mean(name, filter(is_plain, header)) for name in names))
        raise DataError(f"{where}: {wanted}: expected {_expected(task)}; found the columns "
                        f"{several(header)}{next(close, '')}")  # fmt: skip
    order = ordered_labels(where, task, labels)
    layouts = [
        Layout((name,), name if task.labels else "score", order, named=False, is_list=True)
        for name in lists
    ]
    return dataclasses.replace(layouts[0], alternative=layouts[1] if layouts[1:] else None)


def ordered_labels(
    where: str, task: Task, labels: Sequence[str] | None, said: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Return the class of each column: those that the file has `said`, else `labels`.

    Raises: DataError: neither is there, they differ, or they are not the card's classes.
    """
    order = tuple(said or labels or ())
    if not task.labels:
        if order:
            raise DataError(f"{where}: {task.name} has scores and no classes, found the classes "
                            f"{several(order)}")  # fmt: skip
        return ()
    if not order:
        raise DataError(f"{where}: does not say which class each number stands for; give their "
                        "order, as their maker had it, with --labels: the card's own would be "
                        f"--labels '{','.join(task.labels)}', and models differ in it")  # fmt: skip
    blame = where if said else "--labels"
    for name in order:
        if name not in task.labels:
            raise DataError(f"{blame}: {shown(name)} is no class of {task.name}, expected "
                            f"{', '.join(task.labels)}{did_you_mean(name, task.labels)}"
                            )  # fmt: skip
    if missing := [name for name in task.labels if name not in order]:
        raise DataError(f"{blame}: without the class {', '.join(missing)} of {task.name}, found "
                        f"{', '.join(order)}")  # fmt: skip
    if len(order) != len(task.labels):
        raise DataError(f"{blame}: a class stands twice in {', '.join(order)}")
    if said and labels and tuple(labels) != order:
        raise DataError(f"{where}: itself names its columns {', '.join(order)}, --labels says "
                        f"{', '.join(labels)}: leave out --labels; if the names are wrong, correct "
                        "them in the file")  # fmt: skip
    return order


def _class_columns(where: str, header: Sequence[str], task: Task) -> dict[str, str]:
    """Return the class of each column that is named for one, in the file's order."""
    found: dict[str, str] = {}
    for column in header:
        inner = column[2:-1] if column.startswith("p(") and column.endswith(")") else None
        if inner is not None and inner not in task.labels:
            raise DataError(f"{where}: the column {shown(column)} is of no class of {task.name}, "
                            f"whose classes are {', '.join(task.labels) or 'none: it has scores'}"
                            f"{did_you_mean(inner, task.labels)}")  # fmt: skip
        if inner is None and (column not in task.labels or column in _BESIDE):
            continue
        label = column if inner is None else inner
        if label in found.values():
            raise DataError(f"{where}: two columns for {label}, {label} and p({label}); leave out "
                            "either all p(...) or all others")  # fmt: skip
        found[column] = label
    missing = [name for name in task.labels if name not in found.values()]
    if found and missing:
        rest = [column for column in header if column not in found and column not in _BESIDE]
        raise DataError(f"{where}: columns for {', '.join(found)} and none for "
                        f"{', '.join(missing)}; the file's others are {several(rest)}"
                        f"{did_you_mean(missing[0], filter(is_plain, rest))}")  # fmt: skip
    return found


def _per_class_kind(where: str, columns: Sequence[str], values: str | None) -> str:
    if all(column.startswith("p(") for column in columns):
        if values not in (None, "probs"):
            raise DataError(f"{where}: --values {values}, and its columns are named "
                            f"{', '.join(columns)}: probabilities")  # fmt: skip
        return "probs"
    if values not in {"probs", "logits"}:
        raise DataError(f"{where}: its columns {', '.join(columns)} do not say what they hold: "
                        "give --values probs or --values logits")  # fmt: skip
    return values


def _expected(task: Task) -> str:
    if not task.labels:
        return "a column score (or logits, a score a teacher)"
    return (f"a column of lists, probs or logits; or one a class, "
            f"{', '.join(task.labels)} (or p({task.labels[0]}), ...)")  # fmt: skip
