"""Stores that other programs wrote, changed or broke: read as they are, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtkd.errors import StoreError
from mtkd.soft_labels import read_batches, read_info, read_store, write
from tests.soft_labels.stores import (
    GUIDS,
    MNLI,
    STSB,
    edit,
    make_info,
    make_rows,
    set_column,
    write_rows,
    write_small,
)

PER_CLASS = pa.list_(pa.float32())
BROKEN = "not a soft-label store, or a broken one"
CHANGED = r"row group 0 \(from row 0\) is not as it was written"
NAN = float("nan")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write_small(tmp_path / "s.parquet")


@pytest.fixture
def in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """200 rows in row groups of 64, 64, 64 and 8."""
    monkeypatch.setattr(write, "ROWS", 64)
    return write_rows(tmp_path / "groups.parquet", make_rows(200))


def read_all(path: Path) -> None:
    for _ in read_batches(path):
        pass


def test_batches_are_row_groups_in_the_files_order(in_groups: Path) -> None:
    rows = make_rows(200)
    batches = list(read_batches(in_groups))
    assert [len(batch.guids) for batch in batches] == [64, 64, 64, 8]
    assert [guid for batch in batches for guid in batch.guids.to_pylist()] == rows.guids
    np.testing.assert_array_equal(np.concatenate([b.gold for b in batches]), rows.gold)
    np.testing.assert_array_equal(np.concatenate([b.logits for b in batches]), rows.logits)
    whole = read_store(in_groups)
    np.testing.assert_array_equal(whole.targets, np.concatenate([b.targets for b in batches]))
    assert whole.guids.to_pylist() == rows.guids
    assert whole.info.rows == 200


def test_provenance_is_read_from_the_end_alone(in_groups: Path) -> None:
    """Nothing but the footer is looked at, so that a store of any size opens at once."""
    info = read_info(in_groups)
    whole = bytearray(in_groups.read_bytes())
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    whole[4:-footer] = bytes(len(whole) - footer - 4)
    in_groups.write_bytes(whole)
    assert read_info(in_groups) == info
    with pytest.raises(StoreError):
        read_all(in_groups)


# --- what is no store -------------------------------------------------------------------------


def test_a_file_that_is_no_parquet_is_refused(store: Path, tmp_path: Path) -> None:
    whole = store.read_bytes()
    contents = {
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"guid,prob\n" * 50,
        "longer": whole + b"\n",
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        for read in (read_info, read_store, read_all):
            with pytest.raises(StoreError, match=rf"{path}: {BROKEN} \(.+\); delete .*mtkd soften"):
                read(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"missing: no such soft-label store; .*mtkd soften"):
        read_info(tmp_path / "missing")
    with pytest.raises(StoreError, match=BROKEN):
        read_info(tmp_path)


def test_a_parquet_file_from_elsewhere_is_refused_and_import_named(tmp_path: Path) -> None:
    path = tmp_path / "plain.parquet"
    pq.write_table(pa.table({"guid": GUIDS, "probs": [[1.0, 0.0, 0.0]] * 3}), path)
    for read in (read_info, read_store):
        with pytest.raises(StoreError, match=r"plain\.parquet: a Parquet file, but.*import-soft-"):
            read(path)


@pytest.mark.parametrize("column", ["guid", "label", "logits", "probs", "score"])
def test_a_store_without_one_of_its_columns_is_refused(store: Path, column: str) -> None:
    edit(store, lambda table: table.drop_columns(column))
    read_info(store)
    with pytest.raises(StoreError, match=BROKEN):
        read_store(store)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("guid", pa.binary()),
        ("guid", pa.large_string()),
        ("label", pa.float32()),
        ("probs", pa.list_(pa.float64())),
        ("score", pa.float64()),
    ],
)
def test_a_column_of_another_type_is_refused(store: Path, column: str, kind: pa.DataType) -> None:
    edit(store, lambda table: table.set_column(
        table.column_names.index(column), column, table[column].cast(kind)
    ))  # fmt: skip
    with pytest.raises(StoreError, match=f"column {column} is"):
        read_store(store)


# --- values changed by another program, the metadata kept -------------------------------------

EDITED = {
    "logits for probabilities": [[2.0, 0.0, -1.0], [0.0, 0.0, 0.0], [9.0, 1.0, 1.0]],
    "other probabilities": [[0.2, 0.3, 0.5]] * 3,
    "a sum above 1": [[0.5, 0.5, 0.5]] * 3,
    "a negative": [[1.2, -0.2, 0.0]] * 3,
    "NaN": [[NAN, 0.5, 0.5]] * 3,
    "a null inside": [[None, 0.5, 0.5]] * 3,
    "a null": [[0.2, 0.3, 0.5], None, [0.2, 0.3, 0.5]],
    "two classes": [[0.5, 0.5]] * 3,
    "rows of four and two": [[0.5, 0.5, 0.0, 0.3], [0.4, 0.3], [0.2, 0.3, 0.5]],
    "no numbers": [[], [], []],
}


@pytest.mark.parametrize("probs", EDITED.values(), ids=EDITED)
def test_changed_probabilities_are_refused(store: Path, probs: list) -> None:
    edit(store, set_column("probs", probs, PER_CLASS))
    with pytest.raises(StoreError, match=rf"s\.parquet: ({BROKEN}|{CHANGED})"):
        read_store(store)


def test_rows_of_uneven_width_do_not_slide_into_each_other(store: Path) -> None:
    """Six numbers for two rows of three; as one flat array they would even sum to 1."""
    probs = [[0.2, 0.3, 0.5, 0.6], [0.3, 0.1], [0.2, 0.3, 0.5]]
    edit(store, set_column("probs", probs, PER_CLASS))
    with pytest.raises(StoreError, match="lists that are not 3 long"):
        read_store(store)


@pytest.mark.parametrize(
    ("column", "values", "kind"),
    [
        ("guid", [*GUIDS[:2], "t/train/8"], pa.string()),
        ("guid", [GUIDS[1], GUIDS[0], GUIDS[2]], pa.string()),
        ("guid", [*GUIDS[:2], None], pa.string()),
        ("label", [0.0, None, 1.0], pa.float64()),
        ("label", [1.0, 0.0, 0.0], pa.float64()),
        ("logits", [[[0.0] * 3] * 2] * 3, pa.list_(PER_CLASS)),
        ("logits", [[[0.0] * 3]] * 3, pa.list_(PER_CLASS)),
        ("logits", [[[0.0] * 2] * 3] * 3, pa.list_(PER_CLASS)),
        ("logits", [None] * 3, pa.list_(PER_CLASS)),
    ],
)
def test_changed_values_are_refused(
    store: Path, column: str, values: list, kind: pa.DataType
) -> None:
    edit(store, set_column(column, values, kind))
    with pytest.raises(StoreError, match=rf"s\.parquet: ({BROKEN}|{CHANGED})"):
        read_store(store)


def test_changed_scores_are_refused(tmp_path: Path) -> None:
    for scores in ([1.5, 2.25, 5.0], [1.5, None, 5.25]):
        path = write_small(tmp_path / "s.parquet", STSB)
        edit(path, set_column("score", scores, pa.float32()))
        with pytest.raises(StoreError, match=rf"{BROKEN}|{CHANGED}"):
            read_store(path)


def test_values_edited_in_pandas_are_refused(store: Path) -> None:
    metadata = pq.read_schema(store).metadata
    frame = pd.read_parquet(store)
    for label, refused in ((1.0, False), (2.0, True)):
        frame.loc[0, "label"] = label
        table = pa.Table.from_pandas(frame, schema=write.SCHEMA, preserve_index=False)
        pq.write_table(table.replace_schema_metadata(metadata), store)
        if refused:
            with pytest.raises(StoreError, match=CHANGED):
                read_store(store)
        else:
            assert read_store(store).guids.to_pylist() == GUIDS


def test_the_same_values_stored_another_way_are_read(in_groups: Path) -> None:
    before = read_store(in_groups)
    edit(in_groups, lambda table: table, compression="none", row_group_size=64)
    after = read_store(in_groups)
    assert (after.info, after.guids) == (before.info, before.guids)
    np.testing.assert_array_equal(after.targets, before.targets)


# --- right checksums, wrong values: a faulty writer -------------------------------------------

FAULTS = {
    "sums": ([0.5, 0.5, 0.5], "1 rows with probabilities that do not sum to 1, first row 1"),
    "negatives": ([1.2, -0.2, 0.0], "1 rows with negative probabilities, first row 1, t/train/1"),
    "NaN": ([0.5, NAN, 0.5], "1 rows with soft labels that are not finite, first row 1"),
}


@pytest.mark.parametrize(("probs", "message"), FAULTS.values(), ids=FAULTS)
def test_what_another_writer_did_not_check_is_checked_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probs: list[float], message: str
) -> None:
    targets = np.full((3, 3), 1 / 3, dtype=np.float32)
    targets[1] = probs
    monkeypatch.setattr(write, "combine", lambda info, logits: targets)
    monkeypatch.setattr(write, "check_batch", lambda *_: None)
    path = write_small(tmp_path / "s.parquet")
    with pytest.raises(StoreError, match=message):
        read_store(path)
    with pytest.raises(StoreError, match=message):
        read_all(path)


def test_the_row_that_is_wrong_is_counted_from_the_stores_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "ROWS", 64)
    monkeypatch.setattr(write, "check_batch", lambda *_: None)
    rows = make_rows(200)
    rows.gold[150] = 7
    with pytest.raises(StoreError, match="gold labels that are none of 0 to 2"):
        read_all(write_rows(tmp_path / "gold.parquet", rows))
    rows = make_rows(200)
    rows.logits[150, 0, 0] = -np.inf
    with pytest.raises(StoreError, match="not finite, first row 150, mnli/train/150"):
        read_all(write_rows(tmp_path / "s.parquet", rows))


# --- row groups -------------------------------------------------------------------------------


def test_swapped_row_groups_are_refused(in_groups: Path) -> None:
    edit(in_groups, lambda t: pa.concat_tables([t[64:128], t[:64], t[128:]]), row_group_size=64)
    with pytest.raises(StoreError, match=r"row group 0 \(from row 0\) is not as it was written"):
        read_all(in_groups)


def test_a_changed_row_group_is_named_with_its_first_row(in_groups: Path) -> None:
    edit(in_groups, lambda t: pa.concat_tables([t[:128], t[:64], t[192:]]), row_group_size=64)
    with pytest.raises(StoreError, match=r"row group 2 \(from row 128\) is not as it was written"):
        read_all(in_groups)


@pytest.mark.parametrize("kept", [slice(0, 192), slice(64, 200), slice(0, 0)])
def test_a_removed_row_group_is_refused(in_groups: Path, kept: slice) -> None:
    edit(in_groups, lambda table: table[kept], row_group_size=64)
    for read in (read_all, read_store):
        with pytest.raises(StoreError, match=r"[031] row groups, expected 4; delete"):
            read(in_groups)


def test_an_added_row_group_is_refused(in_groups: Path) -> None:
    edit(in_groups, lambda t: pa.concat_tables([t, t[192:]]), row_group_size=64)
    with pytest.raises(StoreError, match=r"is not as it was written|208 rows, .* say 200"):
        read_all(in_groups)


def test_other_row_groups_for_the_same_rows_are_refused(in_groups: Path) -> None:
    edit(in_groups, lambda table: table, row_group_size=50)
    with pytest.raises(StoreError, match="is not as it was written"):
        read_all(in_groups)


def test_a_fault_late_in_the_store_is_found_before_any_of_it_is_used(in_groups: Path) -> None:
    edit(in_groups, lambda t: pa.concat_tables([t[:192], t[184:192]]), row_group_size=64)
    with pytest.raises(StoreError, match=r"row group 3 \(from row 192\)"):
        read_store(in_groups)
    assert read_info(in_groups) == make_info(
        rows=200, row_groups=read_info(in_groups).row_groups, labels=MNLI.labels
    )
