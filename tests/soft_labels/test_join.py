"""Soft labels joined to rows: by guid alone, and never in silence where something differs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtkd.errors import StoreError
from mtkd.soft_labels import SoftLabelStore, combine, join, read_store, write
from mtkd.task import Task
from tests.soft_labels.stores import (
    FINGERPRINT,
    GUIDS,
    LOGITS,
    MNLI,
    STSB,
    make_info,
    make_rows,
    write_rows,
    write_small,
)


def in_memory(guids: list[str], targets: np.ndarray, **changes: Any) -> SoftLabelStore:
    return SoftLabelStore(Path("s"), make_info(**changes), pa.array(guids, pa.string()), targets)


@settings(deadline=None)  # how long it takes is the machine's affair
@given(order=st.permutations(range(6)), as_array=st.booleans())
def test_rows_are_joined_by_guid_in_whatever_order_they_come(
    order: list[int], as_array: bool
) -> None:
    guids = [f"mnli/train/{i}" for i in range(6)]
    targets = np.random.default_rng(0).dirichlet(np.ones(3), 6).astype(np.float32)
    wanted = [guids[i] for i in order]
    rows = pa.array(wanted) if as_array else wanted
    found = join(in_memory(guids, targets), MNLI, rows, FINGERPRINT, 2.0)
    np.testing.assert_array_equal(found.targets, targets[order])
    assert found.known.all()


@pytest.mark.parametrize("card", [MNLI, STSB], ids=lambda card: card.name)
def test_a_store_of_several_row_groups_is_joined_by_guid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, card: Task
) -> None:
    monkeypatch.setattr(write, "ROWS", 64)
    rows = make_rows(200, card)
    store = read_store(write_rows(tmp_path / "s.parquet", rows, card))
    order = np.random.default_rng(1).permutation(200)
    found = join(store, card, [rows.guids[i] for i in order], FINGERPRINT, 2.0)
    expected = combine(make_info(card), rows.logits)
    np.testing.assert_array_equal(found.targets, expected[order])


@pytest.mark.parametrize("card", [MNLI, STSB], ids=lambda card: card.name)
def test_a_row_without_a_soft_label_is_known_to_have_none(tmp_path: Path, card: Task) -> None:
    rows = make_rows(9, card)
    store = read_store(write_rows(tmp_path / "s.parquet", rows, card))
    found = join(store, card, rows.guids[::-1], FINGERPRINT, 2.0)
    assert np.flatnonzero(~found.known).tolist() == [3, 4]
    assert np.isnan(found.targets[[3, 4]]).all()
    assert np.isfinite(found.targets[found.known]).all()


REFUSED = {
    "another task": ({"task": "qqp"}, "task is qqp, the data's mnli"),
    "permuted classes": (
        {"labels": MNLI.labels[::-1]},
        r"class order is \['contradiction'.*the data's \['entailment'",
    ),
    "another temperature": ({"temperature": 1.0}, "temperature is 1.0, the data's 2.0"),
    "other data": ({"data_fingerprint": "e" * 64}, "data fingerprint is eee.*, the data's fff"),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_a_store_made_from_something_else_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    assert MNLI.labels == ("entailment", "neutral", "contradiction")
    made = read_store(write_small(tmp_path / "s.parquet"))
    changed = dataclasses.replace(made, info=make_info(**changes))
    with pytest.raises(StoreError, match=rf"s\.parquet: its {message}.*; delete .*mtkd soften"):
        join(changed, MNLI, GUIDS, FINGERPRINT, 2.0)
    join(made, MNLI, GUIDS, FINGERPRINT, 2.0)


OTHER_ROWS = {
    "a missing guid": (
        GUIDS,
        [*GUIDS, "t/train/8"],
        "no soft label for 1 rows of the data, first t/train/8",
    ),
    "an extra guid": (
        GUIDS,
        GUIDS[:2],
        "1 soft labels for no row of the data, first t/train/7",
    ),
    "a guid twice in the data": (
        GUIDS,
        [*GUIDS[:2], GUIDS[1]],
        "1 soft labels for no row of the data, first t/train/7",
    ),
    "a guid twice in the store": ([*GUIDS[:2], GUIDS[1]], GUIDS[:2], "a guid stands twice"),
    "another case": (["T/train/0", *GUIDS[1:]], GUIDS, "no soft label for 1 .*first t/train/0"),
    "no rows": (GUIDS, [], "3 soft labels for no row of the data, first t/train/0"),
    "an empty store": ([], GUIDS, "no soft label for 3 rows of the data, first t/train/0"),
}


@pytest.mark.parametrize(("stored", "rows", "message"), OTHER_ROWS.values(), ids=OTHER_ROWS)
def test_other_rows_than_the_datas_are_refused(
    stored: list[str], rows: list[str], message: str
) -> None:
    made = in_memory(stored, combine(make_info(), LOGITS)[: len(stored)])
    with pytest.raises(StoreError, match=rf"^s: {message}.*; delete s and run `mtkd soften`"):
        join(made, MNLI, rows, FINGERPRINT, 2.0)


def test_a_store_with_a_guid_twice_is_refused_when_joined(tmp_path: Path) -> None:
    rows = make_rows(9)
    rows.guids[8] = rows.guids[0]
    store = read_store(write_rows(tmp_path / "s.parquet", rows))
    with pytest.raises(StoreError, match="a guid stands twice"):
        join(store, MNLI, rows.guids[:8], FINGERPRINT, 2.0)


def test_nothing_joins_to_nothing() -> None:
    found = join(in_memory([], np.zeros((0, 3), np.float32)), MNLI, [], FINGERPRINT, 2.0)
    assert found.targets.shape == (0, 3)
