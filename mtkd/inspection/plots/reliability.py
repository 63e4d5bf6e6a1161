"""The reliability diagram: is a model right as often as it says?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mtkd.inspection.plots.class_counts import ClassCounts
from mtkd.inspection.plots.figure import (
    COLOURS,
    ENSEMBLE,
    MARKERS,
    legend_beside,
    new_figure,
    teacher_names,
)
from mtkd.soft_labels import StoreInfo

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FEW = 10  # rows: an accuracy over fewer is drawn hollow


def reliability(info: StoreInfo, counts: ClassCounts) -> Figure:
    """Draw accuracy against confidence in 15 bins of equal width, and below the rows in each.

    The ensemble is black; the ECE of each model stands in the legend.
    Source: Guo et al. 2017, arXiv 1706.04599, figure 1.
    """
    figure = new_figure(info, f"reliability, {counts.gold_rows:,} rows with gold", 9.6, 6.0)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    bins = counts.bins
    errors = bins.error()
    edges = np.linspace(0, 1, bins.count.shape[1] + 1)
    (diagonal,) = upper.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1)
    handles, names = [diagonal], ["as often right as it says"]
    for model, name in enumerate([*teacher_names(info), "ensemble"]):
        last = model == len(info.teachers)
        colour = ENSEMBLE if last else COLOURS[model % len(COLOURS)]
        filled = bins.count[model] > 0
        rows = bins.count[model, filled]
        confidence = bins.confidence[model, filled] / rows
        accuracy = bins.correct[model, filled] / rows
        marker = "o" if last else MARKERS[model % len(MARKERS)]
        width = 2.0 if last else 1.2
        (line,) = upper.plot(
            confidence, accuracy, color=colour, linewidth=width, marker=marker, markersize=5
        )
        few = rows < _FEW
        upper.plot(confidence[few], accuracy[few], color=colour, linestyle="", marker=marker,
                   markersize=5, markerfacecolor="white")  # fmt: skip
        lower.stairs(bins.count[model], edges, color=colour, linewidth=width)
        handles.append(line)
        names.append(f"{name}\nECE {errors[model]:.3f}")
    # the most probable of C classes has at least 1 / C: nothing can be to the left of that
    first = math.floor((len(edges) - 1) / len(info.labels)) / (len(edges) - 1)
    upper.set(xlim=(first, 1.005), ylim=(-0.02, 1.02))
    upper.set_ylabel(f"accuracy (hollow: fewer than {_FEW} rows)")
    lower.set_xlabel("confidence: probability of the most probable class")
    lower.set_ylabel("rows")
    lower.set_ylim(bottom=0)
    lower.yaxis.set_major_formatter("{x:,.0f}")
    legend_beside(figure, handles, names)
    return figure
