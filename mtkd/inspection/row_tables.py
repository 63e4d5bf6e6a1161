"""Rows as a table for the terminal: what is said of each, with its texts folded below."""

from __future__ import annotations

from collections.abc import Sequence

from mtkd.inspection.rows import Opinion, Row
from mtkd.inspection.words import folded, number, shortened

_NAME, _TEXT = 28, 1200  # characters shown of a name, of a text
_CLASSES = 3  # of a soft label that are shown, the most probable


def rows_table(heading: str, rows: Sequence[Row]) -> tuple[str, list[str], list[list[str]]]:
    """Return title, header and cells for `print_table`: one line of the table is one row's block.

    Folded at any width; made for 100 columns.
    """
    measure = next((row.measure for row in rows if row.measure is not None), None)
    header = ["no.", *([] if measure is None else [measure]), "row"]
    cells = []
    for place, row in enumerate(rows, start=1):
        value = [] if measure is None else [_value(row.value)]
        last = place == len(rows)
        cells.append([str(place), *value, _block(row) + ("" if last else "\n")])
    return folded(heading), header, cells


def _block(row: Row) -> str:
    gold = "unknown" if row.gold is None else _said(Opinion("gold", row.gold, None))
    lines = [f"{_readable(row.guid)}   gold: {gold}   ensemble: {_said(row.ensemble)}"]
    if len(row.soft_label) > 2:  # of two classes the ensemble's line has said all
        lines.append(f"soft label: {_soft_label(row.soft_label)}")
    lines.append("; ".join(f"{shortened(t.name, _NAME)}: {_said(t)}" for t in row.teachers))
    for place, text in enumerate(row.texts or (), start=1):
        lines.append(f"{place}: {_readable(text)}")
    return "\n".join(lines)


def _said(opinion: Opinion) -> str:
    if isinstance(opinion.prediction, float):
        return number(opinion.prediction)
    name = shortened(opinion.prediction, _NAME)
    return name if opinion.confidence is None else f"{name} {opinion.confidence:.3f}"


def _soft_label(soft_label: dict[str, float]) -> str:
    best = sorted(soft_label.items(), key=lambda item: -item[1])[:_CLASSES]
    shown = ", ".join(f"{shortened(name, _NAME)} {share:.3f}" for name, share in best)
    more = len(soft_label) - len(best)
    return f"{shown}, and {more} more classes" if more else shown


def _readable(text: str) -> str:
    """Return a text as one paragraph, without control characters that a terminal would obey."""
    plain = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    more = len(plain) - _TEXT
    return plain if more <= 0 else f"{plain[:_TEXT]}… ({more:,} more characters)"


def _value(value: float | None) -> str:
    return "" if value is None else number(value)
