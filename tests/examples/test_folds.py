"""Folds: by guid alone, every row in one, of like size."""

from __future__ import annotations

import numpy as np

from mtkd.examples import Fold, fold_numbers

GUIDS = [f"rte/train/{i}" for i in range(3000)]


def test_every_row_is_in_exactly_one_fold() -> None:
    held = np.stack([Fold(number, 5).holds(GUIDS) for number in range(5)])
    assert held.sum(axis=0).tolist() == [1] * len(GUIDS)


def test_folds_are_of_like_size() -> None:
    sizes = np.bincount(fold_numbers(GUIDS, 5), minlength=5)
    assert abs(sizes - 600).max() < 5 * np.sqrt(600 * 0.8)  # five standard deviations


def test_rows_added_removed_or_reordered_move_no_other_row() -> None:
    before = dict(zip(GUIDS, fold_numbers(GUIDS, 5), strict=True))
    others = [f"rte/train/x{i}" for i in range(50)] + GUIDS[::-3]
    after = dict(zip(others, fold_numbers(others, 5), strict=True))
    assert all(after[guid] == before[guid] for guid in GUIDS[::-3])
