"""The pictures of a regression store: predictions, residuals, the teachers' spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mtkd.inspection.plots.density import density
from mtkd.inspection.plots.figure import COLOURS, new_figure
from mtkd.inspection.plots.score_counts import BARS, ScoreCounts
from mtkd.soft_labels import StoreInfo

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def predicted_against_gold(info: StoreInfo, counts: ScoreCounts) -> Figure:
    """Draw rows by gold and the ensemble's score; on the diagonal both are the same."""
    figure = new_figure(info, f"predictions, {counts.gold_rows:,} rows with gold", 7.0, 6.0)
    axes = figure.subplots()
    density(axes, counts.predictions, counts.score_range, counts.score_range)
    axes.plot(counts.score_range, counts.score_range, color="0.4", linestyle="--", linewidth=1)
    axes.set_xlabel("gold score")
    axes.set_ylabel("ensemble's score")
    return figure


def residuals(info: StoreInfo, counts: ScoreCounts) -> Figure:
    """Draw how far the ensemble's score is from gold, with the mean and standard deviation."""
    figure = new_figure(info, f"residuals, {counts.gold_rows:,} rows with gold", 7.0, 4.2)
    axes = figure.subplots()
    edges = np.linspace(*counts.residual_range, BARS + 1)
    axes.stairs(counts.residuals, edges, fill=True, color=COLOURS[0])
    axes.axvline(0, color="0.4", linestyle="--", linewidth=1)
    axes.set_title(f"mean {counts.residual_mean:.3f}, standard deviation "
                   f"{counts.residual_deviation:.3f}", loc="right", fontsize=9)  # fmt: skip
    axes.set_xlabel("residual: ensemble's score - gold")
    axes.set_ylabel("rows")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    return figure


def spread_against_score(info: StoreInfo, counts: ScoreCounts) -> Figure:
    """Draw rows by the ensemble's score and the standard deviation over teachers."""
    figure = new_figure(info, f"spread of teachers, {counts.rows:,} rows", 7.0, 5.0)
    axes = figure.subplots()
    density(axes, counts.spread, counts.prediction_range, counts.spread_range)
    axes.set_xlabel("ensemble's score")
    axes.set_ylabel("standard deviation over teachers")
    return figure
