"""Which pictures a store gets, and where they go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mtkd.inspection.plots.agreement import agreement_matrix
from mtkd.inspection.plots.class_counts import ClassCounts, class_counts
from mtkd.inspection.plots.dataset_map import dataset_map
from mtkd.inspection.plots.distributions import distributions
from mtkd.inspection.plots.figure import require_matplotlib, save, styled
from mtkd.inspection.plots.reliability import reliability
from mtkd.inspection.plots.score_counts import ScoreCounts, score_counts
from mtkd.inspection.plots.scores import predicted_against_gold, residuals, spread_against_score
from mtkd.soft_labels import StoreInfo, read_info

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_store(path: Path, folder: Path, title: str | None = None) -> list[Path]:
    """Draw a store into `<folder>/<task>-<split>-<picture>.png` and `.svg`.

    Classification: reliability, distributions (of confidence and entropy), agreement, map.
    Regression: predictions, residuals, agreement, spread. Those that need gold are left out of a
    store without, those that compare teachers where there is one. The same store gives the same
    bytes. One pass over the store, two for regression; memory is that of one chunk.

    Args: title: of the progress bar; None draws none.
    Returns: the files written.
    Raises: UserError: matplotlib is not installed.
    """
    require_matplotlib()
    info = read_info(path)
    written = []
    with styled():
        if info.labels:
            pictures = _of_classes(info, class_counts(info, path, title))
        else:
            pictures = _of_scores(info, score_counts(info, path, title))
        for name, figure in pictures:
            written += save(figure, folder / f"{info.task}-{info.split}-{name}")
    return written


def _of_classes(info: StoreInfo, counts: ClassCounts) -> Iterator[tuple[str, Figure]]:
    if counts.gold_rows:
        yield "reliability", reliability(info, counts)
    if counts.rows:
        yield "distributions", distributions(info, counts)
    if counts.rows and len(info.teachers) > 1:
        yield (
            "agreement",
            agreement_matrix(info, counts.agreement, "share of rows given the same class"),
        )
    if counts.gold_rows and len(info.teachers) > 1:
        yield "map", dataset_map(info, counts)


def _of_scores(info: StoreInfo, counts: ScoreCounts) -> Iterator[tuple[str, Figure]]:
    if counts.gold_rows:
        yield "predictions", predicted_against_gold(info, counts)
        yield "residuals", residuals(info, counts)
    if counts.rows and len(info.teachers) > 1:
        yield "agreement", agreement_matrix(info, counts.agreement, "Pearson correlation")
        yield "spread", spread_against_score(info, counts)
