"""Pictures: which there are, the same bytes each time, numbers right, no text on text."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from mtkd.errors import UserError
from mtkd.inspection.plots import plot_store
from mtkd.inspection.plots.agreement import agreement_matrix
from mtkd.inspection.plots.class_counts import class_counts
from mtkd.inspection.plots.dataset_map import dataset_map
from mtkd.inspection.plots.distributions import distributions
from mtkd.inspection.plots.figure import styled
from mtkd.inspection.plots.reliability import reliability
from mtkd.inspection.plots.score_counts import score_counts
from mtkd.inspection.plots.scores import predicted_against_gold, residuals, spread_against_score
from mtkd.soft_labels import Teacher, read_batches, read_info, write_store
from tests.inspection.made import info, scores, store, values

CLASSES = ["reliability", "distributions", "agreement", "map"]
SCORES = ["predictions", "residuals", "agreement", "spread"]


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


@pytest.mark.parametrize(("labels", "pictures"), [(("a", "b", "c"), CLASSES), ((), SCORES)])
def test_the_same_store_gives_the_same_bytes_whatever_the_users_style(
    tmp_path: Path, labels: tuple[str, ...], pictures: list[str]
) -> None:
    import matplotlib

    path = store(tmp_path / "train.parquet", rows=200, labels=labels)
    first = plot_store(path, tmp_path / "one")
    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": None, "savefig.dpi": 20}):
        second = plot_store(path, tmp_path / "two")
        assert matplotlib.rcParams["font.size"] == 30  # the user's style is left as it was
    assert names(first) == [
        f"made-train-{picture}.{kind}" for picture in pictures for kind in ("png", "svg")
    ]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()
        assert one.read_bytes().startswith(b"\x89PNG" if one.suffix == ".png" else b"<?xml")
        assert b"matplotlib.org" not in one.read_bytes()[:1000].split(b"<svg")[0]
    assert {p.name for p in (tmp_path / "one").iterdir()} == set(names(first))


def test_no_window_and_no_global_figure_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # importing it fails
    assert plot_store(store(tmp_path / "train.parquet", rows=30), tmp_path / "plots")


def test_pictures_that_need_gold_or_several_teachers_are_left_out_without(tmp_path: Path) -> None:
    one = store(tmp_path / "one.parquet", rows=50, teachers=1)
    assert {p.stem for p in plot_store(one, tmp_path / "plots")} == {
        "made-train-reliability",
        "made-train-distributions",
    }
    for labels, made, left in (
        (("a", "b", "c"), values, {"distributions", "agreement"}),
        ((), scores, {"agreement", "spread"}),
    ):
        guids, gold, logits = made(50)
        path = tmp_path / "unlabelled.parquet"
        write_store(path, info(labels, split="unlabelled"), guids, gold * np.nan, logits)
        found = {p.stem.split("-")[-1] for p in plot_store(path, tmp_path / "plots")}
        assert found == left


def test_without_matplotlib_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store(tmp_path / "train.parquet", rows=5)
    for module in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=r"pip install 'mtkd\[plot\]'"):
        plot_store(path, tmp_path / "plots")
    assert not (tmp_path / "plots").exists()


def test_counts_are_those_of_the_whole_store_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtkd.soft_labels.write.ROWS", 70)
    path = tmp_path / "train.parquet"
    guids, gold, logits = values(500)
    gold[:90] = np.nan
    logits[490:] = np.nan
    write_store(path, info(), guids, gold, logits)
    assert len(list(read_batches(path))) == 8
    counts = class_counts(read_info(path), path)
    assert (counts.rows, counts.gold_rows) == (490, 400)
    soft = np.exp(logits[:490].astype(np.float64))
    soft /= soft.sum(axis=2, keepdims=True)
    assert (counts.confidence.sum(axis=1) == 490).all()
    assert (counts.entropy.sum(axis=1) == 490).all()
    expected = np.histogram(soft[:, 1].max(axis=1), 30, (1 / 3, 1))[0]
    assert np.array_equal(counts.confidence[1], expected)
    of_gold = soft[90:][np.arange(400), :, gold[90:490].astype(int)]
    expected_map = np.histogram2d(
        of_gold.mean(axis=1), of_gold.std(axis=1), bins=75, range=((0, 1), (0, 0.5))
    )[0]
    assert np.array_equal(counts.map, expected_map)
    right = (soft[90:].argmax(axis=2) == gold[90:490, None]).sum(axis=0)
    assert counts.bins.correct.sum(axis=1)[:3].tolist() == right.tolist()
    said = soft.argmax(axis=2)
    assert counts.agreement[0, 2] == (said[:, 0] == said[:, 2]).mean()


def test_counts_of_scores_leave_no_row_out(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    guids, gold, found = scores(300)
    gold[:40] = np.nan
    write_store(path, info(()), guids, gold, found)
    counts = score_counts(read_info(path), path)
    assert (counts.rows, counts.gold_rows) == (300, 260)
    assert (counts.predictions.sum(), counts.residuals.sum(), counts.spread.sum()) == (
        260,
        260,
        300,
    )
    mean = found[:, :, 0].mean(axis=1)
    assert counts.residual_deviation == pytest.approx(np.nanstd(mean - gold), rel=1e-5)
    low, high = counts.score_range
    row = int((mean[50] - low) / (high - low) * 60)
    column = int((gold[50] - low) / (high - low) * 60)
    assert counts.predictions[row, column] > 0  # predictions upwards, gold along


def test_a_store_of_equal_scores_can_be_drawn(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    alike = np.full((5, 2, 1), 2.5, dtype=np.float32)
    write_store(path, info((), teachers=2), list("abcde"), np.full(5, 2.5), alike)
    assert len(plot_store(path, tmp_path / "plots")) == 8


# --- no text on text ----------------------------------------------------------------------------


def overlaps(figure: Any) -> Iterator[tuple[str, str]]:
    """Yield pairs of a figure's texts that cover each other, of those that are really drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    drawn: dict[int, Any] = {}
    plain_draw = Text.draw

    def draw(text: Any, renderer: Any) -> None:
        drawn[id(text)] = text
        plain_draw(text, renderer)

    canvas = FigureCanvasAgg(figure)
    with mock.patch.object(Text, "draw", draw):
        canvas.draw()
    renderer = canvas.get_renderer()
    texts = [text for text in drawn.values() if text.get_visible() and text.get_text().strip()]
    outlines = [(text.get_text(), _outline(text, renderer)) for text in texts]
    for (one, first), (other, second) in itertools.combinations(outlines, 2):
        if _cross(first, second):
            yield one, other


def _outline(text: Any, renderer: Any) -> Any:
    """Return the corners of a text's box, that of a slanting text turned about its anchor."""
    angle = text.get_rotation()
    if angle % 90:
        text.set_rotation(0)
    box = text.get_window_extent(renderer)
    text.set_rotation(angle)
    corners = np.array([(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)])
    if angle % 90 == 0:
        return corners
    place = text.get_transform().transform(text.get_unitless_position())
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return (corners - place) @ np.array([[cos, sin], [-sin, cos]]) + place


def _cross(one: Any, other: Any) -> bool:
    """Return whether two convex outlines share more than a pixel, by separating axes."""
    for corners in (one, other):
        for i in range(4):
            x, y = corners[i] - corners[i - 1]
            axis = np.array([-y, x]) / np.hypot(x, y)
            a, b = one @ axis, other @ axis
            if min(a.max(), b.max()) - max(a.min(), b.min()) < 1:
                return False
    return True


@pytest.mark.parametrize("labels", [20, 2, 0])
def test_no_text_covers_another_with_six_long_names(tmp_path: Path, labels: int) -> None:
    teachers = tuple(Teacher(f"{'bert-large-uncased-' * 4}{i}", "e", "ab" * 32) for i in range(6))
    classes = tuple(f"a class with a rather long name {i}" for i in range(labels))
    path = tmp_path / "train.parquet"
    made = values(2000, labels, 6) if labels else scores(2000, 6)
    write_store(path, info(classes, teachers), *made)
    provenance = read_info(path)
    with styled():
        if labels:
            counts = class_counts(provenance, path)
            figures = [
                reliability(provenance, counts),
                distributions(provenance, counts),
                agreement_matrix(provenance, counts.agreement, "share"),
                dataset_map(provenance, counts),
            ]
        else:
            found = score_counts(provenance, path)
            figures = [
                predicted_against_gold(provenance, found),
                residuals(provenance, found),
                agreement_matrix(provenance, found.agreement, "Pearson correlation"),
                spread_against_score(provenance, found),
            ]
        for figure in figures:
            assert list(overlaps(figure)) == []


def test_the_check_for_covered_text_sees_it() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    axes.text(0.5, 0.5, "some words that lie", rotation=45)
    axes.text(0.5, 0.5, "on some other words")
    assert list(overlaps(figure)) == [("some words that lie", "on some other words")]
