"""A comparison of two stores as text, within 100 columns."""

from __future__ import annotations

from mtkd.inspection.compare import ClassComparison, Comparison
from mtkd.inspection.differences import Difference
from mtkd.inspection.tables import Block
from mtkd.inspection.words import folded, number, percent, shortened

_VALUE = 34  # columns for a differing value


def comparison_blocks(comparison: Comparison) -> list[Block]:
    """Return the blocks to print: provenance, what both say of the same rows, what changed most."""
    c = comparison
    heading = "\n".join([shortened(f"a: {c.a}", 100), shortened(f"b: {c.b}", 100)])
    blocks: list[Block]
    if c.differences:
        differing = [_difference(item) for item in c.differences]
        blocks = [(heading, ["differs in", "a", "b"], differing)]
    else:
        blocks = [(f"{heading}\nboth have the same provenance", [], [])]
    blocks.append((folded(_rows(c)), *_values(c)))
    if c.changed:
        distance = "total variation" if c.labels else "|a - b|"
        header = ["guid", "gold", "a", "b", "distance"]
        blocks.append((f"changed most (distance: {distance}):", header, _changed(c)))
    return blocks


def _difference(difference: Difference) -> list[str]:
    a, b = difference.a, difference.b
    if len(a) > _VALUE or len(b) > _VALUE:
        # of long texts that begin alike, show where they part
        start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
        start = max(0, start - 8) if start > _VALUE // 2 else 0
        a, b = (f"…{text[start:]}" if start else text for text in (a, b))
    return [difference.what, shortened(a, _VALUE), shortened(b, _VALUE)]


def _rows(c: Comparison) -> str:
    parts = [
        f"{c.rows:,} rows in both",
        f"{c.rows_only_in_a:,} only in a",
        f"{c.rows_only_in_b:,} only in b",
    ]
    if c.without_soft_label:
        parts.append(f"{c.without_soft_label:,} in both, without a soft label in one")
    if c.gold_differs:
        parts.append(f"{c.gold_differs:,} with another gold label")
    return ", ".join(parts)


def _values(c: Comparison) -> tuple[list[str], list[list[str]]]:
    values = c.values
    if isinstance(values, ClassComparison):
        header = ["agree %", "KL(a || b)", "total variation", "acc % of a", "acc % of b"]
        cells = [
            percent(values.agreement),
            number(values.kl, 4),
            number(values.total_variation, 4),
            percent(values.accuracy_a),
            percent(values.accuracy_b),
        ]
    else:
        header = ["Pearson", "mean |a - b|", "Pearson of a with gold", "Pearson of b with gold"]
        cells = [
            number(values.pearson, 4),
            number(values.mean_absolute_difference, 4),
            number(values.pearson_a),
            number(values.pearson_b),
        ]
    return header, [cells]


def _changed(c: Comparison) -> list[list[str]]:
    rows = []
    for row in c.changed:
        a, b = (
            f"{shortened(said, 14)} {number(p, 2)}".rstrip()
            for said, p in ((row.a, row.p_a), (row.b, row.p_b))
        )
        gold = shortened(row.gold, 14)
        rows.append([shortened(row.guid, 24), gold, a, b, number(row.distance)])
    return rows
