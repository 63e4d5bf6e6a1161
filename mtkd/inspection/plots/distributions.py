"""Histograms of confidence and entropy, a pair for each model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mtkd.inspection.plots.class_counts import BARS, ClassCounts
from mtkd.inspection.plots.figure import COLOURS, ENSEMBLE, new_figure, teacher_names
from mtkd.soft_labels import StoreInfo

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def distributions(info: StoreInfo, counts: ClassCounts) -> Figure:
    """Draw, for each teacher and the ensemble, how confident it is and what entropy it leaves.

    All panels of a column share their axes, so that models can be compared by eye.
    """
    names = [*teacher_names(info), "ensemble"]
    title = f"confidence and entropy, {counts.rows:,} rows"
    figure = new_figure(info, title, 8.6, 1.2 + 0.95 * len(names))
    panels = figure.subplots(len(names), 2, sharex="col", sharey="col", squeeze=False)
    classes = len(info.labels)
    columns = (
        (counts.confidence, 1 / classes, 1.0, "probability of the most probable class"),
        (counts.entropy, 0.0, float(np.log(classes)), "entropy (nats)"),
    )
    for column, (values, low, high, label) in enumerate(columns):
        edges = np.linspace(low, high, BARS + 1)
        for model, axes in enumerate(panels[:, column]):
            colour = ENSEMBLE if model == len(names) - 1 else COLOURS[model % len(COLOURS)]
            axes.stairs(100 * values[model] / counts.rows, edges, fill=True, color=colour)
            axes.set_xlim(low, high)
        panels[-1, column].set_xlabel(label)
    for name, axes in zip(names, panels[:, 0], strict=True):
        axes.set_title(name, loc="left", fontsize=9, pad=3)
    figure.supylabel("rows (%)", fontsize=9)
    return figure
