"""Images of how many rows lie where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Range = tuple[float, float]


def density(axes: Axes, counts: NDArray[np.float64], along: Range, upwards: Range) -> None:
    """Fill `axes` with an image of counts, (upwards, along), on a logarithmic scale of colours.

    Cells without rows stay white.
    """
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, LogNorm

    most = max(2.0, float(counts.max()))
    # without the palest tenth, which a single row would be lost in on white
    colours = ListedColormap(colormaps["viridis_r"](np.linspace(0.1, 1.0, 230)))
    image = axes.imshow(
        np.ma.masked_equal(counts, 0),
        origin="lower",
        extent=(*along, *upwards),
        aspect="auto",
        interpolation="nearest",
        cmap=colours,
        norm=LogNorm(1, most),
    )
    bar = axes.figure.colorbar(image, ax=axes, label="rows", format="{x:,.0f}")
    steps = (step * 10**power for power in range(10) for step in (1, 2, 5))
    bar.set_ticks([step for step in steps if step <= most])
    bar.ax.minorticks_off()
