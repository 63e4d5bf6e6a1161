"""Likely label errors: as in confident learning, the same in any order, and really found."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import hypergeom

from mtkd.inspection.label_errors import LabelErrors, label_errors
from mtkd.inspection.selection import Selection
from mtkd.soft_labels import read_batches, write_store
from tests.inspection.made import info, scores, values


def found_guids(selection: Selection) -> list[str]:
    return selection.chunk.guids.to_pylist()


def by_loops(path: Path) -> list[tuple[float, str]]:
    """Confident learning row by row: (margin, guid) of all likely errors, most likely first."""
    rows = []
    for batch in read_batches(path):
        rows += zip(batch.guids.to_pylist(), batch.gold.tolist(), batch.targets.tolist())  # noqa: B905
    rows = [row for row in rows if not math.isnan(row[1])]
    classes = range(len(rows[0][2]))
    thresholds = {}
    for label in classes:
        own = [soft[label] for _, gold, soft in rows if gold == label]
        thresholds[label] = sum(own) / len(own) if own else math.inf
    found = []
    for guid, gold, soft in rows:
        confident = [j for j in classes if soft[j] >= thresholds[j]]
        if confident and max(confident, key=lambda j: soft[j]) != gold:
            margin = soft[int(gold)] - max(soft[j] for j in classes if j != gold)
            if margin < 0:
                found.append((margin, guid))
    return sorted(found)


@pytest.mark.parametrize(("classes", "empty"), [(2, None), (3, 2), (7, 6)])
def test_the_rows_are_those_of_a_plain_loop(
    tmp_path: Path, classes: int, empty: int | None
) -> None:
    path = tmp_path / "train.parquet"
    guids, gold, logits = values(700, classes=classes)
    gold[1::9] = (gold[1::9] + 1) % classes  # so that there are many to be found
    gold[::5] = np.nan
    gold[gold == empty] = 0  # a class without rows has no threshold that could be reached
    labels = tuple(f"class {i}" for i in range(classes))
    write_store(path, info(labels), guids, gold, logits)
    expected = by_loops(path)

    found = label_errors(path, 20)

    assert len(expected) > 20
    assert (found.total, found.gold_rows) == (len(expected), 560)
    assert found_guids(found.selection) == [guid for _, guid in expected[:20]]
    assert found.selection.values == pytest.approx([margin for margin, _ in expected[:20]])
    assert (found.thresholds[-1] == math.inf) == (empty is not None)


def test_a_class_more_probable_than_gold_but_below_its_threshold_is_no_error(
    tmp_path: Path,
) -> None:
    path = tmp_path / "train.parquet"
    soft = np.array([[0.9, 0.1], [0.9, 0.1], [0.45, 0.55], [0.02, 0.98], [0.02, 0.98]])
    gold = np.array([0.0, 0.0, 0.0, 1.0, 1.0])
    write_store(path, info(("a", "b"), teachers=1), list("vwxyz"), gold,
                np.log(soft)[:, None].astype(np.float32))  # fmt: skip
    assert label_errors(path, 5).total == 0  # 0.55 is more than 0.45, but no 0.98
    gold[3] = 0.0
    write_store(path, info(("a", "b"), teachers=1), list("vwxyz"), gold,
                np.log(soft)[:, None].astype(np.float32))  # fmt: skip
    assert found_guids(label_errors(path, 5).selection) == ["y"]


def test_planted_errors_are_found_far_more_often_than_by_chance(tmp_path: Path) -> None:
    rows, flips = 3000, 150
    guids, gold, logits = values(rows)
    random = np.random.default_rng(1)
    planted = random.choice(rows, flips, replace=False)
    gold[planted] = (gold[planted] + random.integers(1, 3, flips)) % 3
    path = tmp_path / "train.parquet"
    write_store(path, info(), guids, gold, logits)

    found = label_errors(path, flips).selection

    hits = len(set(found_guids(found)) & {guids[i] for i in planted})
    by_chance = hypergeom.sf(hits - 1, rows, flips, flips)  # of as many or more among 150 drawn
    assert by_chance < 1e-9


def test_neither_row_groups_nor_the_order_of_rows_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guids, gold, logits = values(400)
    logits = np.round(logits)  # so that many margins are equal
    one = tmp_path / "one.parquet"
    write_store(one, info(), guids, gold, logits)
    order = np.random.default_rng(3).permutation(400)
    other = tmp_path / "other.parquet"
    monkeypatch.setattr("mtkd.soft_labels.write.ROWS", 37)
    write_store(other, info(), [guids[i] for i in order], gold[order], logits[order])
    assert len(list(read_batches(other))) == 11

    first, second = label_errors(one, 30), label_errors(other, 30)

    assert found_guids(first.selection) == found_guids(second.selection)
    assert first.thresholds == second.thresholds  # to the last bit
    assert first.total == second.total
    assert np.array_equal(first.selection.chunk.teachers, second.selection.chunk.teachers)


def test_equally_likely_errors_come_in_the_order_of_their_guids(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    guids = [f"t/train/{i}" for i in range(40)]
    gold = np.array([0.0, 1.0, 1.0, 1.0] * 10)
    logits = np.tile(np.float32([0.0, 2.0]), (40, 1, 1))
    logits[20:] = logits[20:, :, ::-1]
    write_store(path, info(("a", "b"), teachers=1), guids, gold, logits)
    found = label_errors(path, 3)
    wrong = [g for g, label, row in zip(guids, gold, logits, strict=True)
             if row[0].argmax() != label]  # fmt: skip
    assert found.total == len(wrong)
    assert found_guids(found.selection) == sorted(wrong)[:3]


def test_where_all_probabilities_are_one_number_no_row_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    guids, gold, _ = values(999)
    write_store(path, info(), guids, gold, np.zeros((999, 3, 3), dtype=np.float32))
    found = label_errors(path, 5)
    assert found.total == 0  # of classes as probable as gold's, gold's is believed
    assert found.selection.heading == "likely label errors: 0 of 999 rows with gold"


def test_scores_far_from_gold_are_ranked_by_their_distance_in_deviations(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    guids, gold, found_scores = scores(2000)
    gold[7] += 9.0
    gold[11] -= 6.0
    gold[13] = np.nan
    write_store(path, info(()), guids, gold, found_scores)
    residual = found_scores[:, :, 0].mean(axis=1) - gold
    z = residual / np.nanstd(residual)

    found = label_errors(path, 2)

    assert found.total == np.nansum(np.abs(z) > 3)
    assert found.deviation == pytest.approx(np.nanstd(residual), rel=1e-6)
    assert found_guids(found.selection) == ["made/train/7", "made/train/11"]
    assert found.selection.values == pytest.approx([z[7], z[11]], rel=1e-6)
    assert found.selection.measure == "z"


@pytest.mark.parametrize("labels", [("a", "b", "c"), ()])
def test_without_gold_there_is_none_and_the_heading_says_so(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    path = tmp_path / "train.parquet"
    guids, gold, logits = values(9) if labels else scores(9)
    write_store(path, info(labels), guids, np.full_like(gold, np.nan), logits)
    found: LabelErrors = label_errors(path, 5)
    assert (found.total, found.gold_rows, found_guids(found.selection)) == (0, 0, [])
    assert "no row has a gold label" in found.selection.heading


def test_where_teachers_and_gold_agree_nothing_is_likely_to_be_wrong(tmp_path: Path) -> None:
    """A rare class is hardly believed anywhere, so that its threshold is soon reached."""
    path = tmp_path / "train.parquet"
    guids, _, logits = values(400, classes=2)
    common = np.linspace(0.55, 0.99, 400)  # probability of the first class, everywhere gold
    gold = np.zeros(400)
    gold[::40], common[::40] = 1, 0.7  # ten rare rows, all overruled
    logits = np.log(np.stack([common, 1 - common], axis=1))[:, None].astype(np.float32)
    logits = np.repeat(logits, len(info(("a", "b")).teachers), axis=1)
    write_store(path, info(("a", "b")), guids, gold, logits)
    found = label_errors(path, 400)
    assert found.thresholds[1] == pytest.approx(0.3, abs=1e-3)
    assert found.total == len(found.selection.values)
    assert (found.selection.values < 0).all()
    assert (found.selection.chunk.gold == 1).all()
