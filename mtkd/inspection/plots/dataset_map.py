"""The dataset map: which rows teachers find easy, hard, or differ on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mtkd.inspection.plots.class_counts import MAP_WIDTH, ClassCounts
from mtkd.inspection.plots.density import density
from mtkd.inspection.plots.figure import new_figure
from mtkd.soft_labels import StoreInfo

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def dataset_map(info: StoreInfo, counts: ClassCounts) -> Figure:
    """Draw rows by the mean over teachers of p(gold) and its standard deviation over teachers.

    Source: Swayamdipta et al. 2020, arXiv 2009.10795, section 2, with teachers for epochs.
    """
    figure = new_figure(info, f"dataset map, {counts.gold_rows:,} rows with gold", 7.4, 6.0)
    axes = figure.subplots()
    density(axes, counts.map, (0.0, MAP_WIDTH), (0.0, 1.0))
    # numbers between 0 and 1 of mean m vary by sqrt(m (1 - m)) at most: half an ellipse
    turn = np.linspace(0, np.pi, 200)
    axes.plot(np.sin(turn) / 2, (1 - np.cos(turn)) / 2, color="0.7", linewidth=1)
    axes.set(xlim=(0, 0.54), ylim=(0, 1))
    # beyond the edge, where no row can be hidden by a name
    axes.text(0.25, 0.97, "\N{LEFTWARDS ARROW} easy: sure of gold", va="center")
    axes.text(0.25, 0.03, "\N{LEFTWARDS ARROW} hard: sure of another class", va="center")
    axes.text(0.52, 0.5, "ambiguous: teachers differ", ha="center", va="center", rotation=270)
    axes.set_xlabel("variability: standard deviation over teachers of p(gold)")
    axes.set_ylabel("confidence: mean over teachers of p(gold)")
    return figure
