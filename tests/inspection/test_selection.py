"""Rows by name and at random."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from mtkd.errors import StoreError
from mtkd.inspection.selection import random_rows, rows_by_guid
from mtkd.soft_labels import write_store
from tests.inspection.made import info, store, values


def test_rows_come_in_the_order_in_which_they_are_named_with_their_own_values(
    tmp_path: Path,
) -> None:
    guids, gold, logits = values(70_000, teachers=1, classes=2)
    path = tmp_path / "train.parquet"
    write_store(path, info(("a", "b"), teachers=1, temperature=1.0), guids, gold, logits)
    places = [69_999, 3, 41]  # of two row groups
    found = rows_by_guid(path, [guids[i] for i in [*places, 3]]).chunk
    assert found.guids.to_pylist() == [guids[i] for i in places]
    assert np.array_equal(found.gold, gold[places])
    assert np.array_equal(found.ensemble.argmax(axis=1), logits[places, 0].argmax(axis=1))


def test_a_guid_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = store(tmp_path / "train.parquet", rows=5)
    with pytest.raises(StoreError, match=r"'made/train/9' and 1 more.*such as 'made/train/0'"):
        rows_by_guid(path, ["made/train/1", "made/train/9", "made/dev/1"])


def test_random_rows_have_the_smallest_hashes_in_whatever_order_the_store_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guids, gold, logits = values(200)
    one, other = tmp_path / "one.parquet", tmp_path / "other.parquet"
    write_store(one, info(), guids, gold, logits)
    monkeypatch.setattr("mtkd.soft_labels.write.ROWS", 30)
    write_store(other, info(), guids[::-1], gold[::-1], logits[::-1])
    by_hash = sorted(guids, key=lambda guid: hashlib.sha256(f"5:{guid}".encode()).digest())
    for path in (one, other):
        assert random_rows(path, 10, seed=5).chunk.guids.to_pylist() == by_hash[:10]
    assert random_rows(one, 10, seed=6).chunk.guids.to_pylist() != by_hash[:10]
    assert len(random_rows(one, 500, seed=5).chunk.guids) == 200
