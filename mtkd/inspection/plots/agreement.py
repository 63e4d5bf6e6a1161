"""The matrix of how far teachers go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mtkd.inspection.plots.figure import new_figure, teacher_names
from mtkd.soft_labels import StoreInfo

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DARK = 0.6  # of the colour scale, above which it is light enough for black numbers


def agreement_matrix(info: StoreInfo, values: NDArray[np.float64], what: str) -> Figure:
    """Draw a number for each pair of teachers. Args: values: (teachers, teachers), at most 1."""
    names = teacher_names(info)
    side = max(2.2, 0.62 * len(names))
    figure = new_figure(info, f"agreement between teachers\n{what}", side + 3.4, side + 2.4)
    axes = figure.subplots()
    pairs = values[~np.eye(len(values), dtype=bool)]
    low = float(np.nanmin(pairs)) if np.isfinite(pairs).any() else 0.0
    low = min(np.floor(low * 10) / 10, 0.9)  # the scale starts at a round number below all
    image = axes.imshow(values, cmap="viridis", vmin=low, vmax=1.0)
    for i, j in np.ndindex(values.shape):
        number = "-" if np.isnan(values[i, j]) else f"{values[i, j]:.2f}"
        light = (values[i, j] - low) / (1 - low) > _DARK or np.isnan(values[i, j])
        axes.text(j, i, number, ha="center", va="center", color="black" if light else "white")
    places = range(len(names))
    axes.set_xticks(places, names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, shrink=0.8)
    return figure
