"""Soft-label stores: what is in the file, how teachers are averaged, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtkd.errors import ShapeError, StoreError
from mtkd.soft_labels import (
    SoftLabelStore,
    StoreInfo,
    Teacher,
    as_logits,
    average,
    join,
    read_store,
    write_store,
)
from mtkd.task import Task, load_task

MNLI, RTE, STSB = (load_task(name) for name in ("mnli", "rte", "stsb"))
TEACHERS = (Teacher("cased", "bert-base-cased", "ab" * 32), Teacher("uncased", "x/y", "cd" * 32))
LOGITS = np.array(
    [
        [[2.0, 0.0, -1.0], [-1.0, 0.5, 0.5]],
        [[0.0, 0.0, 0.0], [3.0, -3.0, 1.0]],
        [[9.0, 1.0, 1.0], [1.0, 9.0, 1.0]],
    ],
    dtype=np.float32,
)  # rows x teachers x classes
SCORES = np.array([[[1.0], [2.0]], [[0.5], [4.0]], [[5.0], [5.5]]], dtype=np.float32)
GUIDS = ["t/train/0", "t/train/1", "t/train/7"]
FINGERPRINT = "f" * 64


def info(card: Task, **changes: Any) -> StoreInfo:
    base = StoreInfo(card.name, "train", card.labels, 2.0, TEACHERS, FINGERPRINT)
    return dataclasses.replace(base, **changes)


def write(path: Path, task: Task = MNLI, **changes: Any) -> Path:
    gold = np.array([1.0, np.nan, 0.0])
    logits = SCORES if task is STSB else LOGITS
    write_store(path, task, info(task, **changes), GUIDS, gold, logits)
    return path


def store(path: Path, task: Task = MNLI) -> SoftLabelStore:
    return read_store(write(path, task))


def rewrite(path: Path, **columns: pa.Array) -> None:
    """Replace columns of a store, as another program might have written them."""
    table = pq.read_table(path)
    for name, column in columns.items():
        table = table.set_column(table.column_names.index(name), name, column)
    pq.write_table(table, path)


# --- the file ---------------------------------------------------------------------------------


def test_columns_and_types_are_those_of_the_contract(tmp_path: Path) -> None:
    for task in (MNLI, STSB):
        table = pq.read_table(write(tmp_path / f"{task.name}.parquet", task))
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
    metadata = pq.read_schema(write(tmp_path / "s.parquet")).metadata
    assert json.loads(metadata[b"mtkd"]) == {
        "task": "mnli",
        "split": "train",
        "labels": list(MNLI.labels),
        "temperature": 2.0,
        "teachers": [
            {"name": "cased", "encoder": "bert-base-cased", "sha256": "ab" * 32},
            {"name": "uncased", "encoder": "x/y", "sha256": "cd" * 32},
        ],
        "data_fingerprint": FINGERPRINT,
        "version": 1,
    }


def test_pandas_reads_a_classification_store(tmp_path: Path) -> None:
    frame = pd.read_parquet(write(tmp_path / "s.parquet"))
    assert frame["guid"].tolist() == GUIDS
    assert frame["label"].tolist()[::2] == [1.0, 0.0]
    assert frame["label"].isna().tolist() == [False, True, False]
    found = np.array([[list(teacher) for teacher in row] for row in frame["logits"]])
    np.testing.assert_array_equal(found, LOGITS)
    np.testing.assert_allclose(np.stack(frame["probs"]).sum(axis=1), 1.0, rtol=1e-6)
    assert frame["score"].isna().all()


def test_pandas_reads_a_regression_store(tmp_path: Path) -> None:
    frame = pd.read_parquet(write(tmp_path / "s.parquet", STSB))
    assert frame["score"].tolist() == [1.5, 2.25, 5.25]
    assert frame["probs"].isna().all()
    found = np.array([[list(teacher) for teacher in row] for row in frame["logits"]])
    np.testing.assert_array_equal(found, SCORES)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    for task, logits in ((MNLI, LOGITS), (STSB, SCORES)):
        found = store(tmp_path / f"{task.name}.parquet", task)
        assert (found.info, found.guids) == (info(task), GUIDS)
        np.testing.assert_array_equal(found.targets, average(task, logits, 2.0))


def test_the_same_soft_labels_are_the_same_bytes(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one.parquet"), write(tmp_path / "other.parquet")
    assert one.read_bytes() == other.read_bytes()


def test_a_store_without_rows_is_read(tmp_path: Path) -> None:
    none = np.zeros(0)
    write_store(tmp_path / "s", MNLI, info(MNLI), [], none, np.zeros((0, 2, 3), np.float32))
    assert read_store(tmp_path / "s").targets.shape == (0, 3)


# --- the average ------------------------------------------------------------------------------


def by_hand(teachers: NDArray[np.float32], temperature: float) -> list[float]:
    """The mean of each teacher's softmax, written out."""
    shares = [[math.exp(x / temperature) for x in logits] for logits in teachers.tolist()]
    shares = [[e / sum(exps) for e in exps] for exps in shares]
    return [sum(column) / len(shares) for column in zip(*shares, strict=True)]


@pytest.mark.parametrize("temperature", [1.0, 2.0, 0.5])
def test_probabilities_are_averaged_after_the_softmax_at_the_temperature(
    temperature: float,
) -> None:
    found = average(MNLI, LOGITS, temperature)
    for row, teachers in zip(found, LOGITS, strict=True):
        assert row.tolist() == pytest.approx(by_hand(teachers, temperature), rel=1e-6)


def test_an_average_of_logits_would_be_another_thing() -> None:
    """Teachers sure of two different classes leave half to each; their mean logits would not."""
    logits = np.array([[[10.0, 0.0, -10.0], [-20.0, 5.0, 0.0]]], dtype=np.float32)
    assert average(MNLI, logits, 1.0)[0].tolist() == pytest.approx([0.5, 0.5, 0.0], abs=0.01)


def test_scores_are_averaged_and_not_divided_by_the_temperature() -> None:
    np.testing.assert_allclose(average(STSB, SCORES, 7.0), [[1.5], [2.25], [5.25]])


def test_large_logits_do_not_overflow() -> None:
    logits = np.array([[[3e4, 0.0, -3e4]]], dtype=np.float32)
    assert average(MNLI, logits, 0.1)[0].tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("shape", [(3, 3), (3, 2, 2), (3, 2, 1), (3, 2, 3, 1)])
def test_logits_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError):
        average(MNLI, np.zeros(shape, dtype=np.float32), 1.0)


def test_an_ensembles_logits_are_those_of_its_probabilities() -> None:
    targets = average(MNLI, LOGITS, 1.0)
    np.testing.assert_allclose(np.exp(as_logits(MNLI, targets)), targets, rtol=1e-5)
    certain = np.array([[1.0, 0.0, 0.0]], dtype=np.float32)
    assert np.isfinite(as_logits(MNLI, certain)).all()
    scores = average(STSB, SCORES, 1.0)
    np.testing.assert_array_equal(as_logits(STSB, scores), scores)


# --- the join ---------------------------------------------------------------------------------


@given(order=st.permutations(range(6)))
def test_rows_are_joined_by_guid_in_whatever_order_they_come(order: list[int]) -> None:
    guids = [f"mnli/train/{i}" for i in range(6)]
    targets = np.random.default_rng(0).dirichlet(np.ones(3), 6).astype(np.float32)
    made = SoftLabelStore(Path("s"), info(MNLI), guids, targets)
    found = join(made, MNLI, [guids[i] for i in order], FINGERPRINT, 2.0)
    np.testing.assert_array_equal(found.targets, targets[order])
    assert found.known.all()


REFUSED = {
    "another task": ({"task": "qqp"}, "its task is qqp, the data's mnli"),
    "permuted classes": (
        {"labels": MNLI.labels[::-1]},
        r"class order is \['contradiction'.*the data's \['entailment'",
    ),
    "another temperature": ({"temperature": 1.0}, "temperature is 1.0, the data's 2.0"),
    "other data": ({"data_fingerprint": "e" * 64}, "data fingerprint is eee"),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_a_store_made_from_something_else_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    assert MNLI.labels == ("entailment", "neutral", "contradiction")
    made = store(tmp_path / "s.parquet")
    changed = dataclasses.replace(made, info=info(MNLI, **changes))
    with pytest.raises(StoreError, match=message):
        join(changed, MNLI, GUIDS, FINGERPRINT, 2.0)
    join(made, MNLI, GUIDS, FINGERPRINT, 2.0)


@pytest.mark.parametrize(
    ("stored", "rows", "message"),
    [
        (GUIDS, [*GUIDS, "t/train/8"], "no soft label for 1 rows of the data, first t/train/8"),
        (GUIDS, GUIDS[:2], "1 soft labels for no row of the data, first t/train/7"),
        (GUIDS, [*GUIDS[:2], GUIDS[1]], "1 soft labels for no row of the data, first t/train/7"),
        ([*GUIDS[:2], GUIDS[1]], GUIDS[:2], "stands twice"),
        (["T/train/0", *GUIDS[1:]], GUIDS, "first t/train/0"),
    ],
)
def test_other_rows_than_the_datas_are_refused(
    stored: list[str], rows: list[str], message: str
) -> None:
    made = SoftLabelStore(Path("s"), info(MNLI), stored, average(MNLI, LOGITS, 2.0))
    with pytest.raises(StoreError, match=message):
        join(made, MNLI, rows, FINGERPRINT, 2.0)


def test_a_row_without_a_soft_label_is_known_to_have_none(tmp_path: Path) -> None:
    for task, column, values in (
        (MNLI, "probs", [[0.2, 0.3, 0.5], None, [1.0, 0.0, 0.0]]),
        (STSB, "score", [1.5, None, 5.0]),
    ):
        path = write(tmp_path / f"{task.name}.parquet", task)
        kind = pa.float32() if task is STSB else pa.list_(pa.float32())
        rewrite(path, **{column: pa.array(values, kind)})
        found = join(read_store(path), task, GUIDS[::-1], FINGERPRINT, 2.0)
        assert found.known.tolist() == [True, False, True]
        assert np.isnan(found.targets[1]).all()
        np.testing.assert_allclose(found.targets[0], values[2])


# --- broken files -----------------------------------------------------------------------------


BAD_PROBABILITIES = {
    "logits": [[2.0, 0.0, -1.0], [0.0, 0.0, 0.0], [9.0, 1.0, 1.0]],
    "a sum above 1": [[0.5, 0.5, 0.5]] * 3,
    "a negative": [[1.2, -0.2, 0.0]] * 3,
    "NaN": [[float("nan"), 0.5, 0.5]] * 3,
    "a null inside": [[None, 0.5, 0.5]] * 3,
    "two classes": [[0.5, 0.5]] * 3,
    "rows of four and two": [[0.5, 0.5, 0.0, 0.3], [0.4, 0.3], [0.2, 0.3, 0.5]],
}


@pytest.mark.parametrize("probs", BAD_PROBABILITIES.values(), ids=BAD_PROBABILITIES)
def test_what_are_no_probabilities_is_refused(tmp_path: Path, probs: list) -> None:
    path = write(tmp_path / "s.parquet")
    rewrite(path, probs=pa.array(probs, pa.list_(pa.float32())))
    with pytest.raises(StoreError, match=r"s\.parquet: .*(not soft labels|are not 3 numbers)"):
        read_store(path)


def test_rows_of_uneven_width_do_not_slide_into_each_other(tmp_path: Path) -> None:
    """Six numbers for two rows of three; as one flat array they would even sum to 1."""
    path = write(tmp_path / "s.parquet")
    probs = [[0.2, 0.3, 0.5, 0.6], [0.3, 0.1], [0.2, 0.3, 0.5]]
    rewrite(path, probs=pa.array(probs, pa.list_(pa.float32())))
    with pytest.raises(StoreError, match="rows whose probs are not 3 numbers"):
        read_store(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_teachers_that_diverged_make_no_store(tmp_path: Path, value: float) -> None:
    logits = LOGITS.copy()
    logits[1, 0, 2] = value
    with pytest.raises(StoreError, match=r"1 rows are not soft labels .* first row 1"):
        write_store(tmp_path / "s", MNLI, info(MNLI), GUIDS, np.zeros(3), logits)
    assert not (tmp_path / "s").exists()


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.parquet").read_bytes()
    cut, empty, plain = (tmp_path / name for name in ("cut", "empty", "plain"))
    cut.write_bytes(whole[: len(whole) // 2])
    empty.write_bytes(b"")
    pq.write_table(pa.table({"guid": GUIDS}), plain)
    for path in (cut, empty, plain, tmp_path / "missing"):
        with pytest.raises(StoreError, match=f"{path}: not a soft-label store"):
            read_store(path)


@pytest.mark.parametrize("column", ["guid", "probs"])
def test_a_store_without_one_of_its_columns_is_refused(tmp_path: Path, column: str) -> None:
    path = write(tmp_path / "s.parquet")
    pq.write_table(pq.read_table(path).drop_columns(column), path)
    with pytest.raises(StoreError, match="not a soft-label store"):
        read_store(path)


def test_a_store_of_another_version_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "s.parquet", version=2)
    with pytest.raises(StoreError, match="a store of version 2, expected 1"):
        read_store(path)
