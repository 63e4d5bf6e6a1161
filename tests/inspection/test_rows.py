"""Rows as records and as a table for the terminal."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from mtkd import terminal
from mtkd.inspection.disagreement import top_disagreement
from mtkd.inspection.row_tables import rows_table
from mtkd.inspection.rows import rows_of
from mtkd.inspection.selection import Selection, rows_by_guid
from mtkd.soft_labels import Teacher, write_store
from tests.inspection.made import info, scores, store, values


def test_a_row_says_what_the_store_says_of_it(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    logits = np.log([[[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]]]).astype(np.float32)
    write_store(path, info(teachers=2), ["made/train/4"], np.array([1.0]), logits)
    (row,) = rows_of(rows_by_guid(path, ["made/train/4"]), {"made/train/4": ("one", "two")})
    content = json.loads(json.dumps(row.to_json()))
    assert content["guid"] == "made/train/4"
    assert content["gold"] == "maybe"
    assert content["ensemble"]["prediction"] == "yes"
    assert content["ensemble"]["confidence"] == pytest.approx(0.5)
    assert list(content["soft_label"]) == ["no", "maybe", "yes"]
    assert content["soft_label"]["maybe"] == pytest.approx(0.1875)
    assert [(t["name"], t["prediction"]) for t in content["teachers"]] == [
        ("t0", "no"),
        ("t1", "yes"),
    ]
    assert content["teachers"][1]["confidence"] == pytest.approx(0.75)
    assert (content["measure"], content["value"]) == (None, None)
    assert content["texts"] == ["one", "two"]


def test_unknown_gold_and_texts_are_null_and_scores_have_no_confidence(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    guids, gold, found = scores(3)
    gold[1] = np.nan
    write_store(path, info(()), guids, gold, found)
    row = rows_of(rows_by_guid(path, [guids[1]]))[0].to_json()
    assert row["gold"] is None
    assert row["texts"] is None
    assert row["ensemble"]["confidence"] is None
    assert row["soft_label"] == {"score": pytest.approx(found[1].mean())}


def test_values_stay_with_their_rows(tmp_path: Path) -> None:
    found = top_disagreement(store(tmp_path / "train.parquet", rows=50), 5)
    rows = rows_of(found)
    assert [row.value for row in rows] == found.values.tolist()
    assert [row.guid for row in rows] == found.chunk.guids.to_pylist()
    assert {row.measure for row in rows} == {"divergence"}


def wide(tmp_path: Path) -> Selection:
    """Rows of six teachers and twenty classes with long names."""
    labels = tuple(f"a class whose name is rather long, number {i}" for i in range(20))
    teachers = tuple(Teacher(f"{'teacher-' * 9}{i}", "encoder", "ab" * 32) for i in range(6))
    path = tmp_path / "train.parquet"
    write_store(path, info(labels, teachers), *values(30, classes=20, teachers=6))
    return top_disagreement(path, 3)


def test_a_printed_table_fits_100_columns_and_loses_no_word_of_the_texts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = wide(tmp_path)
    words = [f"word{i}" for i in range(80)]
    texts = {guid: (" ".join(words), "the second") for guid in found.chunk.guids.to_pylist()}
    heading, header, cells = rows_table(found.heading, rows_of(found, texts))
    assert header == ["no.", "divergence", "row"]
    assert all(len(line) <= 100 for line in heading.splitlines())
    terminal.print_block(heading, header, cells)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 100
    assert all(shown.split().count(word) == 3 for word in words)  # whole, once for each row
    assert shown.count("and 17 more classes") == 3


def test_what_a_terminal_would_obey_is_not_printed(tmp_path: Path) -> None:
    found = rows_by_guid(store(tmp_path / "train.parquet", rows=3), ["made/train/0"])
    rows = rows_of(found, {"made/train/0": ("a\x1b[2Jb\nc\x07", "x" * 5000)})
    cell = rows_table("", rows)[2][0][-1]
    assert "\x1b" not in cell
    assert "\x07" not in cell
    assert "1: a\ufffd[2Jb c\ufffd\n2: " in cell
    assert "(3,800 more characters)" in cell
    assert rows_table("", [dataclasses.replace(rows[0], texts=None)])[1] == ["no.", "row"]
