"""What is in the file, and that it appears whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtkd.errors import ShapeError, StoreError
from mtkd.soft_labels import StoreWriter, combine, read_batches, read_info, read_store, write
from mtkd.soft_labels import write_store as write_store_at_once
from mtkd.task import Task
from tests.soft_labels.stores import (
    FINGERPRINT,
    GOLD,
    GUIDS,
    LOGITS,
    MNLI,
    SCORES,
    STSB,
    Rows,
    make_info,
    make_rows,
    write_rows,
    write_small,
)

CARDS = pytest.mark.parametrize("card", [MNLI, STSB], ids=lambda card: card.name)


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> int:
    """Row groups of 64 rows."""
    monkeypatch.setattr(write, "ROWS", 64)
    return 64


# --- the file ---------------------------------------------------------------------------------


@CARDS
def test_columns_and_types_are_those_of_the_contract(tmp_path: Path, card: Task) -> None:
    table = pq.read_table(write_small(tmp_path / "s.parquet", card))
    assert table["label"].to_pylist() == [1.0, None, 0.0]
    per_class = pa.list_(pa.float32())
    assert [(field.name, field.type) for field in table.schema] == [
        ("guid", pa.string()),
        ("label", pa.float64()),
        ("logits", pa.list_(per_class)),
        ("probs", per_class),
        ("score", pa.float32()),
    ]


def test_metadata_says_what_the_store_is_made_of(tmp_path: Path) -> None:
    path = write_small(tmp_path / "s.parquet")
    content = json.loads(pq.read_schema(path).metadata[b"mtkd"])
    (group,) = content.pop("row_groups")
    assert len(group) == len(content.pop("sha256")) == 64
    assert content == {
        "task": "mnli",
        "split": "train",
        "labels": list(MNLI.labels),
        "temperature": 2.0,
        "teachers": [
            {"name": "cased", "encoder": "bert-base-cased", "sha256": "ab" * 32},
            {"name": "uncased", "encoder": "x/y", "sha256": "cd" * 32},
        ],
        "data_fingerprint": FINGERPRINT,
        "combine": "mean",
        "weights": None,
        "teacher_temperatures": None,
        "folds": 0,
        "source": "teachers",
        "rows": 3,
        "version": 2,
    }


def test_pandas_reads_a_classification_store(tmp_path: Path) -> None:
    frame = pd.read_parquet(write_small(tmp_path / "s.parquet"))
    assert frame["guid"].tolist() == GUIDS
    assert frame["label"].tolist()[::2] == [1.0, 0.0]
    assert frame["label"].isna().tolist() == [False, True, False]
    np.testing.assert_array_equal(nested(frame["logits"]), LOGITS)
    np.testing.assert_array_equal(np.stack(frame["probs"]), combine(make_info(), LOGITS))
    assert frame["score"].isna().all()


def test_pandas_reads_a_regression_store(tmp_path: Path) -> None:
    frame = pd.read_parquet(write_small(tmp_path / "s.parquet", STSB))
    assert frame["score"].tolist() == [1.5, 2.25, 5.25]
    assert frame["probs"].isna().all()
    np.testing.assert_array_equal(nested(frame["logits"]), SCORES)


def nested(column: pd.Series) -> np.ndarray:
    return np.array([[list(teacher) for teacher in row] for row in column])


@CARDS
def test_rows_without_soft_labels_are_null_in_pandas_and_nan_here(
    tmp_path: Path, card: Task
) -> None:
    rows = make_rows(9, card)
    path = write_rows(tmp_path / "s.parquet", rows, card)
    frame = pd.read_parquet(path)
    without = [i in (4, 5) for i in range(9)]
    soft = "probs" if card is MNLI else "score"
    assert frame["logits"].isna().tolist() == without
    assert frame[soft].isna().tolist() == without
    (batch,) = read_batches(path)
    assert (~batch.known).tolist() == without
    np.testing.assert_array_equal(batch.logits, rows.logits)
    np.testing.assert_array_equal(batch.targets, combine(make_info(card), rows.logits))


@CARDS
def test_a_store_of_rows_without_any_soft_label_is_read(tmp_path: Path, card: Task) -> None:
    rows = make_rows(5, card)
    rows.logits[:] = np.nan
    (batch,) = read_batches(write_rows(tmp_path / "s.parquet", rows, card))
    assert not batch.known.any()
    assert np.isnan(batch.logits).all()
    assert batch.logits.shape == rows.logits.shape


@CARDS
def test_what_is_written_is_read(tmp_path: Path, card: Task) -> None:
    rows = make_rows(40, card)
    path = write_rows(tmp_path / "s.parquet", rows, card, folds=5)
    (batch,) = read_batches(path)
    assert batch.guids.to_pylist() == rows.guids
    np.testing.assert_array_equal(batch.gold, rows.gold)
    np.testing.assert_array_equal(batch.logits, rows.logits)
    whole = read_store(path)
    assert whole.guids.equals(batch.guids)
    np.testing.assert_array_equal(whole.targets, batch.targets)
    assert whole.info == make_info(card, folds=5, rows=40, row_groups=(batch.sha256(),))


def test_a_store_without_rows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    write_store_at_once(path, make_info(), [], np.zeros(0), np.zeros((0, 2, 3), np.float32))
    assert read_store(path).targets.shape == (0, 3)
    assert list(read_batches(path)) == []
    assert len(pd.read_parquet(path)) == 0


def test_values_at_the_edge_of_their_type_are_kept(tmp_path: Path) -> None:
    """Zeros of both signs, the smallest and the largest numbers, guids of any script."""
    logits = np.array([0.0, -0.0, 1e-45, -3e38, 3e38, 1.0], np.float32).reshape(6, 1, 1)
    gold = np.array([0.0, -0.0, 5e-324, -np.nan, 1e308, 5.0])
    guids = ["t/train/0", "t/train/é", "t/train/数", "t/train/", "", "t/train/ 1"]
    rows = Rows(guids, gold, np.repeat(logits, 2, axis=1))
    (batch,) = read_batches(write_rows(tmp_path / "s.parquet", rows, STSB))
    assert batch.logits.tobytes() == rows.logits.tobytes()
    np.testing.assert_array_equal(batch.gold, gold)
    assert np.signbit(batch.gold[:2]).tolist() == [False, True]
    assert batch.guids.to_pylist() == guids


# --- row groups -------------------------------------------------------------------------------

CUTS = {
    "one at a time": [1] * 200,
    "all at once": [200],
    "odd parts": [7, 50, 6, 1, 64, 65, 7],
    "just a row group": [64, 64, 64, 8],
    "one row more": [65, 135],
    "one row less": [63, 137],
    "empty parts": [0, 100, 0, 0, 100, 0],
}


@CARDS
@pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS)
def test_the_bytes_do_not_depend_on_how_rows_come(
    tmp_path: Path, small_groups: int, cuts: list[int], card: Task
) -> None:
    rows = make_rows(200, card)
    one = write_rows(tmp_path / "one.parquet", rows, card)
    assert len(read_info(one).row_groups) == 4
    other = tmp_path / "other.parquet"
    append_in_parts(other, rows, cuts, card)
    assert other.read_bytes() == one.read_bytes()


@pytest.mark.parametrize("seed", range(10))
def test_nor_on_where_they_are_cut(tmp_path: Path, small_groups: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    ends = np.sort(random.integers(0, 200, random.integers(1, 20)))
    rows = make_rows(200)
    append_in_parts(tmp_path / "a.parquet", rows, np.diff([0, *ends, 200]).tolist())
    one = write_rows(tmp_path / "one.parquet", rows)
    assert (tmp_path / "a.parquet").read_bytes() == one.read_bytes()


def append_in_parts(path: Path, rows: Rows, cuts: list[int], card: Task = MNLI) -> None:
    assert sum(cuts) == len(rows.guids)
    with StoreWriter(path, make_info(card)) as writer:
        start = 0
        for count in cuts:
            part = slice(start, start + count)
            writer.append(rows.guids[part], rows.gold[part], rows.logits[part])
            start += count


def test_the_bytes_do_not_depend_on_how_arrays_lie_in_memory(tmp_path: Path) -> None:
    rows = make_rows(50)
    guids = pa.array(["x", *rows.guids])[1:]
    other = tmp_path / "other.parquet"
    write_store_at_once(other, make_info(), guids, rows.gold, np.asfortranarray(rows.logits))
    one = write_rows(tmp_path / "one.parquet", rows)
    assert other.read_bytes() == one.read_bytes()


@pytest.mark.parametrize(("rows", "sizes"), [(65_536, [65_536]), (65_537, [65_536, 1])])
def test_a_row_group_has_65536_rows(tmp_path: Path, rows: int, sizes: list[int]) -> None:
    path = write_rows(tmp_path / "s.parquet", make_rows(rows))
    file = pq.ParquetFile(path)
    found = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert found == sizes
    assert [len(batch.guids) for batch in read_batches(path)] == sizes
    assert (len(read_info(path).row_groups), read_info(path).rows) == (len(sizes), rows)


# --- whole or not at all ----------------------------------------------------------------------


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=type)
@pytest.mark.parametrize("rows", [0, 10, 100])
@pytest.mark.parametrize("another", [False, True])
def test_what_is_interrupted_leaves_what_was_there(
    tmp_path: Path, small_groups: int, rows: int, error: BaseException, another: bool
) -> None:
    path = tmp_path / "s.parquet"
    before = write_small(path).read_bytes() if another else None
    with pytest.raises(type(error)):
        append_and_raise(path, make_rows(rows), error)
    assert list(tmp_path.iterdir()) == ([path] if another else [])
    assert before is None or path.read_bytes() == before


def append_and_raise(path: Path, rows: Rows, error: BaseException) -> None:
    with StoreWriter(path, make_info()) as writer:
        writer.append(rows.guids, rows.gold, rows.logits)
        raise error


def test_nothing_is_in_place_before_the_end(tmp_path: Path, small_groups: int) -> None:
    rows, path = make_rows(200), tmp_path / "new" / "s.parquet"
    with StoreWriter(path, make_info()) as writer:
        writer.append(rows.guids, rows.gold, rows.logits)
        assert not path.exists()
    assert list(path.parent.iterdir()) == [path]


def test_a_store_replaces_another(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "s.parquet", make_rows(50))
    write_small(path)
    assert read_store(path).guids.to_pylist() == GUIDS
    assert list(tmp_path.iterdir()) == [path]


# --- what makes no store ----------------------------------------------------------------------


@pytest.mark.parametrize("place", [(70, 0, 2), (70, 0), (70, 1, 0)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -np.nan])
def test_teachers_that_diverged_make_no_store(
    tmp_path: Path, small_groups: int, place: Any, value: float
) -> None:
    """One teacher's NaN among others' numbers is no row without a soft label."""
    rows = make_rows(100)
    rows.logits[place] = value
    message = r"1 rows with logits that are not finite, first row 70, mnli/train/70"
    with pytest.raises(StoreError, match=message):
        write_rows(tmp_path / "s.parquet", rows)
    assert list(tmp_path.iterdir()) == []


def test_an_infinite_logit_of_every_teacher_makes_no_store(tmp_path: Path) -> None:
    rows = make_rows(10)
    rows.logits[7] = np.inf
    with pytest.raises(StoreError, match=r"not finite, first row 7"):
        write_rows(tmp_path / "s.parquet", rows)


def test_gold_labels_that_are_no_class_make_no_store(tmp_path: Path) -> None:
    rows = make_rows(10)
    rows.gold[3] = 3
    with pytest.raises(StoreError, match="gold labels that are none of 0 to 2"):
        write_rows(tmp_path / "s.parquet", rows)
    assert list(tmp_path.iterdir()) == []


def test_logits_of_another_shape_make_no_store(tmp_path: Path) -> None:
    with pytest.raises(ShapeError):
        write_store_at_once(tmp_path / "s.parquet", make_info(), GUIDS, GOLD, LOGITS[:, :, :2])
    assert list(tmp_path.iterdir()) == []
