"""The rows on which teachers disagree most."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import entropy

from mtkd.inspection.disagreement import divergence, top_disagreement
from mtkd.soft_labels import write_store
from tests.inspection.made import chunk, info, probabilities, scores, store, values


def test_divergence_is_zero_where_all_say_the_same_and_ln_2_where_two_exclude_each_other() -> None:
    same = np.array([[[0.7, 0.3, 0.0], [0.7, 0.3, 0.0]]])
    opposed = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    found = divergence(chunk(np.concatenate([same, opposed]), [0, 0]))
    assert found == pytest.approx([0.0, math.log(2)], abs=1e-15)


def test_divergence_is_the_teachers_mean_kl_to_their_mean() -> None:
    rows = probabilities(50)
    mean = rows.teachers.mean(axis=1, keepdims=True)
    expected = entropy(rows.teachers, np.broadcast_to(mean, rows.teachers.shape), axis=2)
    assert divergence(rows) == pytest.approx(expected.mean(axis=1), abs=1e-12)


def test_the_top_rows_are_the_largest_of_all_rows_in_any_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guids, gold, logits = values(300)
    whole = tmp_path / "whole.parquet"
    write_store(whole, info(), guids, gold, logits)
    everything = top_disagreement(whole, 300)
    assert sorted(everything.values, reverse=True) == list(everything.values)
    assert len(set(everything.chunk.guids.to_pylist())) == 300
    order = np.random.default_rng(0).permutation(300)
    cut = tmp_path / "cut.parquet"
    monkeypatch.setattr("mtkd.soft_labels.write.ROWS", 41)
    write_store(cut, info(), [guids[i] for i in order], gold[order], logits[order])
    top = top_disagreement(cut, 10)
    assert top.chunk.guids.to_pylist() == everything.chunk.guids.to_pylist()[:10]
    assert np.array_equal(top.values, everything.values[:10])
    assert top.measure == "divergence"


def test_scores_are_ranked_by_their_standard_deviation_over_teachers(tmp_path: Path) -> None:
    guids, gold, found = scores(100)
    path = tmp_path / "train.parquet"
    write_store(path, info(()), guids, gold, found)
    top = top_disagreement(path, 3)
    spread = found[:, :, 0].astype(np.float64).std(axis=1)
    assert top.chunk.guids.to_pylist() == [guids[i] for i in np.argsort(-spread)[:3]]
    assert top.values == pytest.approx(np.sort(spread)[::-1][:3])


def test_one_teacher_disagrees_with_nobody(tmp_path: Path) -> None:
    found = top_disagreement(store(tmp_path / "train.parquet", teachers=1), 3)
    assert len(found.chunk.guids) == 0
    assert "one teacher" in found.heading
