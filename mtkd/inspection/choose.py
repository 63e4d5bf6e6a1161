"""The rows that `--rows` asks for."""

from __future__ import annotations

from pathlib import Path

from mtkd.errors import UserError, did_you_mean
from mtkd.inspection.disagreement import top_disagreement
from mtkd.inspection.label_errors import label_errors
from mtkd.inspection.selection import Selection, random_rows, rows_by_guid

ORDERS = ("top-disagreement", "top-label-errors", "random")


def choose_rows(
    path: Path, which: str, limit: int, seed: int, title: str | None = None
) -> Selection:
    """Return some rows of a store.

    Args: which: one of `ORDERS`, or guids separated by commas. limit: how many, but of guids all.
        seed: of random ones. title: of the progress bars.
    Raises: UserError: neither an order nor guids. StoreError: no such guid.
    """
    if which == "top-disagreement":
        return top_disagreement(path, limit, title)
    if which == "top-label-errors":
        return label_errors(path, limit, title).selection
    if which == "random":
        return random_rows(path, limit, seed, title)
    if "/" not in which:
        raise UserError(f"--rows {which}: expected {', '.join(ORDERS)}, or guids such as "
                        f"rte/train/17{did_you_mean(which, ORDERS)}")  # fmt: skip
    return rows_by_guid(path, [guid.strip() for guid in which.split(",")], title)
