"""A damaged store is refused, or what was damaged is of no account. Nothing else happens."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mtkd.errors import StoreError
from mtkd.soft_labels import StoreBatch, StoreInfo, read_batches, read_info, write
from mtkd.task import Task
from tests.soft_labels.stores import MNLI, STSB, make_rows, write_rows, write_small

FLIPS = 200


@pytest.fixture(params=[MNLI, STSB], ids=lambda card: card.name)
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """300 rows, some without soft labels, in row groups of 128, 128 and 44."""
    monkeypatch.setattr(write, "ROWS", 128)
    card: Task = request.param
    path = write_rows(tmp_path / "s.parquet", make_rows(300, card), card)
    assert len(read_info(path).row_groups) == 3
    return path


Everything = tuple[StoreInfo, list[StoreBatch]]


def read_everything(path: Path) -> Everything:
    return read_info(path), list(read_batches(path))


def same(one: Everything, other: Everything) -> bool:
    """Compare values themselves, not their checksums, which are what is tested."""
    return (one[0], len(one[1])) == (other[0], len(other[1])) and all(
        a.guids.equals(b.guids)
        and all(
            np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True)
            for name in ("gold", "logits", "targets")
        )
        for a, b in zip(one[1], other[1], strict=True)
    )


def test_a_flipped_bit_is_refused_or_harmless_to_values(store: Path) -> None:
    """Half of the flips anywhere, half in the footer, where the file's plan and metadata stand.

    Harmless are the magic number at the start, the writer's name, sizes that no reader looks at.
    """
    whole = store.read_bytes()
    expected = read_everything(store)
    footer = 8 * (len(whole) - int.from_bytes(whole[-8:-4], "little") - 8)
    places = random.Random(0)
    flips = [places.randrange(8 * len(whole)) for _ in range(FLIPS // 2)]
    flips += [places.randrange(footer, 8 * len(whole)) for _ in range(FLIPS // 2)]
    outcomes: Counter[str] = Counter()
    for bit in flips:
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        store.write_bytes(damaged)
        try:
            found = read_everything(store)
        except StoreError:
            outcomes["refused"] += 1
        else:
            assert same(found, expected), f"bit {bit}: other values, and not refused"
            outcomes["harmless"] += 1
    assert outcomes.total() == FLIPS
    assert outcomes["refused"] >= 0.6 * FLIPS, outcomes


@pytest.mark.parametrize("twentieth", range(20))
def test_a_truncated_store_is_refused(store: Path, twentieth: int) -> None:
    whole = store.read_bytes()
    store.write_bytes(whole[: len(whole) * twentieth // 20])
    for read in (read_info, read_everything):
        with pytest.raises(StoreError, match=r"s\.parquet: not a soft-label store, or a broken"):
            read(store)


@pytest.mark.parametrize("missing", [1, 4, 8, 9])
def test_a_store_without_its_last_bytes_is_refused(store: Path, missing: int) -> None:
    store.write_bytes(store.read_bytes()[:-missing])
    with pytest.raises(StoreError, match="or a broken one"):
        read_info(store)


@pytest.mark.parametrize("start", range(0, 20, 3))
def test_a_stretch_of_zeros_is_refused(store: Path, start: int) -> None:
    """As a disk that lost a block leaves it."""
    whole = bytearray(store.read_bytes())
    first = 4 + (len(whole) - 4) * start // 20
    whole[first : first + 256] = bytes(len(whole[first : first + 256]))
    store.write_bytes(whole)
    with pytest.raises(StoreError):
        read_everything(store)


@pytest.mark.parametrize("card", [MNLI, STSB], ids=lambda card: card.name)
def test_no_byte_of_a_small_store_can_be_changed_unseen(tmp_path: Path, card: Task) -> None:
    """Every third byte, in turn with any of its bits: refused, or nothing that is read differs."""
    store = write_small(tmp_path / "s.parquet", card)
    whole, expected = store.read_bytes(), read_everything(store)
    bits = random.Random(1)
    refused = 0
    for place in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << bits.randrange(8)
        store.write_bytes(damaged)
        try:
            found = read_everything(store)
        except StoreError:
            refused += 1
        else:
            assert same(found, expected), f"byte {place}: other values, and not refused"
    assert refused > len(whole) // 6
