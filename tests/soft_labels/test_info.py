"""A store's provenance: read as written, or refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mtkd.errors import StoreError
from mtkd.soft_labels import StoreInfo, read_info, read_store
from mtkd.soft_labels.info import VERSION, _sha256, remedy
from tests.soft_labels.stores import MNLI, STSB, TEACHERS, make_info, write_small

PATH = Path("runs/x/soft_labels/mnli/train.parquet")
FULL = make_info(
    combine="fitted",
    weights=(0.1, 1e-7),
    teacher_temperatures=(1.3, 0.9),
    folds=5,
    source="imported",
    rows=7,
    row_groups=("a" * 64, "b" * 64),
)


@pytest.mark.parametrize("info", [make_info(), make_info(STSB), FULL])
def test_what_is_written_is_read(info: StoreInfo) -> None:
    assert StoreInfo.from_json(info.to_json(), PATH) == info
    assert StoreInfo.from_json(info.to_json().encode(), PATH) == info


def test_a_row_is_as_wide_as_there_are_classes_and_1_for_a_score() -> None:
    assert make_info(MNLI).outputs == 3
    assert make_info(STSB).outputs == 1


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (VERSION + 1, r"a store of version 3, made by a newer mtkd than this one, which knows 2"),
        (1, r"a store of version 1, expected 2; delete .*`mtkd soften`"),
    ],
)
def test_a_store_of_another_version_is_refused(tmp_path: Path, version: int, message: str) -> None:
    path = write_small(tmp_path / "s.parquet", version=version)
    with pytest.raises(StoreError, match=message):
        read_info(path)


def test_a_store_from_before_checksums_is_refused_for_its_version() -> None:
    """Version 1 had no `sha256`; the reason must not be a missing key."""
    old = dataclasses.asdict(make_info(version=1))
    for new in ("combine", "weights", "teacher_temperatures", "folds", "source", "row_groups"):
        del old[new]
    with pytest.raises(StoreError, match="version 1, expected 2"):
        StoreInfo.from_json(json.dumps(old), PATH)


EDITS: dict[str, Any] = {
    "task": "rte",
    "split": "dev",
    "labels": list(MNLI.labels[::-1]),
    "temperature": 1.0,
    "teachers": [],
    "data_fingerprint": "e" * 64,
    "combine": "logits",
    "weights": [0.5, 0.5],
    "teacher_temperatures": [1.0, 1.0],
    "folds": 3,
    "source": "imported",
    "rows": 2,
    "row_groups": [],
    "sha256": "0" * 64,
}


def test_every_key_is_among_the_edits() -> None:
    assert {*EDITS, "version"} == set(json.loads(make_info().to_json()))


@pytest.mark.parametrize(("key", "value"), EDITS.items(), ids=EDITS)
def test_metadata_edited_by_hand_is_refused(tmp_path: Path, key: str, value: object) -> None:
    path = write_small(tmp_path / "s.parquet")
    content = json.loads(read_info(path).to_json())
    assert content[key] != value
    content[key] = value
    text = json.dumps(content)
    with pytest.raises(StoreError, match=r"s\.parquet: its metadata was changed"):
        StoreInfo.from_json(text, path)
    edit_metadata(path, text)
    with pytest.raises(StoreError, match=r"s\.parquet: its metadata was changed"):
        read_info(path)


FORGED: list[dict[str, Any]] = [
    {"task": "../../x"}, {"task": 3}, {"task": "a\nb"}, {"split": "/tmp/x"}, {"split": ""},
    {"labels": [1, 2, 3]}, {"labels": ["a", "a", "b"]}, {"labels": ["a", "\x1b[2J", "b"]},
    {"labels": ["a", "", "b"]}, {"labels": "aaa"}, {"labels": [f"c{i}" for i in range(20_000)]},
    {"temperature": 0.0}, {"temperature": float("nan")}, {"temperature": "1"},
    {"temperature": True},
    {"teachers": []}, {"teachers": [{"name": "a\u202e", "encoder": "b", "sha256": "c"}]},
    {"teachers": [{"name": "a", "encoder": ["b"], "sha256": "c"}]}, {"data_fingerprint": None},
    {"combine": "best"}, {"combine": ["mean"]}, {"weights": [1.0]}, {"weights": ["a", "b"]},
    {"weights": {"a": 1, "b": 2}}, {"teacher_temperatures": [1.0, 0.0]}, {"folds": -1},
    {"folds": 1.5}, {"source": "\x1b[2J"}, {"rows": -1}, {"rows": 2.0}, {"row_groups": ["x"]},
    {"row_groups": [1]}, {"version": True}, {"version": 2.0}, {"version": [2]}, {"more": 1},
]  # fmt: skip


@pytest.mark.parametrize("forged", FORGED, ids=lambda forged: str(forged)[:40])
def test_metadata_that_mtkd_never_writes_are_refused_though_their_checksum_is_right(
    tmp_path: Path, forged: dict[str, Any]
) -> None:
    """A store may come from anywhere, and its names go into files, tables and logs."""
    path = write_small(tmp_path / "s.parquet")
    content = {**json.loads(read_info(path).to_json()), **forged}
    del content["sha256"]
    edit_metadata(path, json.dumps({**content, "sha256": _sha256(content)}))
    with pytest.raises(StoreError, match=r"s\.parquet: ") as caught:
        read_info(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def test_nesting_without_end_is_no_metadata_of_a_store(tmp_path: Path) -> None:
    path = write_small(tmp_path / "s.parquet")
    for text in ("[" * 10**6, '{"version":' * 10**5, '{"version": 2, "labels": ' + "[" * 10**6):
        edit_metadata(path, text)
        with pytest.raises(StoreError, match="or a broken one"):
            read_info(path)


@pytest.mark.parametrize("rows", [0, 2, 10**12])
def test_a_store_that_miscounts_its_rows_is_refused(tmp_path: Path, rows: int) -> None:
    path = write_small(tmp_path / "s.parquet")
    content = {**json.loads(read_info(path).to_json()), "rows": rows}
    del content["sha256"]
    edit_metadata(path, json.dumps({**content, "sha256": _sha256(content)}))
    with pytest.raises(StoreError, match=r"s\.parquet: .*rows"):
        read_store(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense", '"text"', "2", '{"version": "x"}'])
def test_what_is_no_metadata_of_a_store_is_refused(tmp_path: Path, text: str) -> None:
    path = write_small(tmp_path / "s.parquet")
    edit_metadata(path, text)
    with pytest.raises(StoreError, match=r"s\.parquet: not a soft-label store, or a broken one"):
        read_info(path)


def test_the_remedy_deletes_a_folder_only_where_a_stage_made_it(tmp_path: Path) -> None:
    """A store copied to a folder of other things must not cost those."""
    path = tmp_path / "train.parquet"
    assert remedy(path).startswith(f"delete {path} and run `mtkd soften`")
    (tmp_path / "manifest.json").write_text("{}")
    assert remedy(path).startswith(f"delete {tmp_path} and run `mtkd soften`")


def test_teachers_are_read_as_teachers() -> None:
    assert StoreInfo.from_json(make_info().to_json(), PATH).teachers == TEACHERS


def edit_metadata(path: Path, text: str) -> None:
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"mtkd": text}), path)
