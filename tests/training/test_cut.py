"""A batch is cut into parts of like size; no group of a ranked task is torn, no row lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtkd.training.cut import cut


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=12),
    parts=st.integers(1, 9),
    grouped=st.booleans(),
    seed=st.integers(0, 99),
)
def test_every_row_is_in_one_part_and_every_group_whole(
    sizes: list[int], parts: int, grouped: bool, seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(sum(sizes))  # row numbers in the batch
    groups = np.empty(len(order), dtype=np.int64)
    groups[order] = np.repeat(np.arange(len(sizes)), sizes)
    found = cut(order, parts, groups if grouped else None)
    assert len(found) == parts
    assert np.concatenate(found).tolist() == order.tolist()
    if grouped:
        homes = [set(groups[part].tolist()) for part in found]
        assert sum(map(len, homes)) == len(sizes)
    else:
        assert max(map(len, found)) - min(map(len, found)) <= 1


@pytest.mark.parametrize("parts", [2, 3])
def test_groups_are_spread_evenly(parts: int) -> None:
    rows = np.arange(12)
    assert [len(part) for part in cut(rows, parts, rows // 2)] == [12 // parts] * parts
