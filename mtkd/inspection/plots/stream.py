"""Pictures of what encoders keep over a stream of corpora: a heat map a run, and curves of all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtkd.inspection.plots.figure import (
    COLOURS,
    MARKERS,
    NAME,
    legend_beside,
    require_matplotlib,
    save,
    styled,
    titled_figure,
)
from mtkd.inspection.words import all_shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_UNITS = {"words": "nats a masked word (less is better)", "tasks": "100 x score (more is better)"}


def plot_streams(contents: Mapping[str, Mapping[str, Any]], folder: Path) -> list[Path]:
    """Draw R of each run as a heat map, and how each corpus is known after each, by run.

    Args: contents: of each run's evaluation/metrics.json, by run; all of one stream.
    Returns: the files: PNG and SVG of each picture.
    Raises: UserError: matplotlib is not installed.
    """
    require_matplotlib()
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with styled():
        for what in ("words", "tasks"):
            shown = {run: _matrix(content, what) for run, content in contents.items()
                     if what in content["kept"]}  # fmt: skip
            names = next(iter(contents.values()))["domains"]
            labels = dict(zip(contents, all_shortened([*contents], NAME), strict=True))
            numbers = {run: number for number, run in enumerate(contents, 1)}
            for run, matrix in shown.items():
                figure = heat_map(matrix, names, f"{labels[run]}\n{_UNITS[what]}")
                paths += save(figure, folder / f"{numbers[run]}-{what}")
            if shown:
                lines = {labels[run]: matrix for run, matrix in shown.items()}
                paths += save(retention(lines, names, _UNITS[what]), folder / f"retention-{what}")
    return paths


def _matrix(content: Mapping[str, Any], what: str) -> NDArray[np.float64]:
    """Return R: a row after each corpus, a column for each."""
    if what == "words":
        return np.array(content["mlm"], dtype=np.float64)
    return np.array([[100 * fmean(cell) for cell in row] for row in content["scores"]])


def heat_map(matrix: NDArray[np.float64], names: list[str], title: str) -> Figure:
    """Draw a number for each corpus after each."""
    shown = all_shortened(names, NAME)
    side = max(2.4, 0.8 * len(names))
    figure = titled_figure(title, side + 2.6, side + 1.8)
    axes = figure.subplots()
    image = axes.imshow(matrix, cmap="viridis")
    middle = (matrix.min() + matrix.max()) / 2
    for i, j in np.ndindex(matrix.shape):
        colour = "black" if matrix[i, j] > middle else "white"
        axes.text(j, i, f"{matrix[i, j]:.2f}", ha="center", va="center", color=colour)
    places = range(len(names))
    axes.set_xticks(places, shown, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, [f"after {name}" for name in shown])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, shrink=0.8)
    return figure


def retention(runs: Mapping[str, NDArray[np.float64]], names: list[str], unit: str) -> Figure:
    """Draw a panel for each corpus: how well it is known after each, a line a run."""
    shown = all_shortened(names, NAME)
    figure = titled_figure("what is kept of each corpus", 2.6 * len(names) + 2, 3.2)
    panels = figure.subplots(1, len(names), sharex=True, squeeze=False)[0]
    handles = []
    for column, (axes, name) in enumerate(zip(panels, shown, strict=True)):
        for number, matrix in enumerate(runs.values()):
            (line,) = axes.plot(range(len(names)), matrix[:, column],
                                color=COLOURS[number % len(COLOURS)],
                                marker=MARKERS[number // len(COLOURS) % len(MARKERS)])  # fmt: skip
            if column == 0:
                handles.append(line)
        axes.axvline(column, color="0.8", zorder=0)  # when it is learnt
        axes.set_title(name, fontsize=9)
        axes.set_xticks(range(len(names)), shown, rotation=45, ha="right", rotation_mode="anchor")
    panels[0].set_ylabel(unit)
    legend_beside(figure, handles, list(runs))
    return figure
