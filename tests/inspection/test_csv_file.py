"""CSV: the columns, the digits, and where files go."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtkd.errors import StoreError, UserError
from mtkd.inspection.csv_file import write_csv, write_selections_csv
from mtkd.inspection.disagreement import top_disagreement
from mtkd.soft_labels import Teacher, read_store, write_store
from tests.inspection.made import info, scores, store, values


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_with_a_soft_label_is_there_to_the_last_digit(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    guids, gold, logits = values(300, teachers=2)
    gold[0] = np.nan
    logits[1] = np.nan
    write_store(path, info(teachers=2), guids, gold, logits)

    (file,) = write_csv(tmp_path / "out.csv", [path])

    rows = read(file)
    assert list(rows[0]) == [
        "guid", "task", "split", "gold", "p(no)", "p(maybe)", "p(yes)", "prediction", "confidence",
        "entropy", "t0 prediction", "t0 confidence", "t1 prediction", "t1 confidence",
    ]  # fmt: skip
    assert [row["guid"] for row in rows] == [guids[0], *guids[2:]]
    assert {(row["task"], row["split"]) for row in rows} == {("made", "train")}
    names = ("no", "maybe", "yes")
    assert [row["gold"] for row in rows] == ["", *(names[int(g)] for g in gold[2:])]
    soft = np.delete(read_store(path).targets, 1, axis=0)
    written = np.array([[row[f"p({name})"] for name in names] for row in rows], dtype=np.float32)
    assert np.array_equal(written, soft)
    assert [row["prediction"] for row in rows] == [names[j] for j in soft.argmax(axis=1)]
    assert np.array_equal([np.float32(row["confidence"]) for row in rows], soft.max(axis=1))
    entropy = -(soft * np.log(soft)).sum(axis=1)
    assert [float(row["entropy"]) for row in rows] == pytest.approx(entropy, rel=1e-4)
    said = np.delete(logits, 1, axis=0).argmax(axis=2)
    for teacher in (0, 1):
        assert [row[f"t{teacher} prediction"] for row in rows] == [
            names[j] for j in said[:, teacher]
        ]


def test_scores_have_a_spread_instead_of_classes(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    guids, gold, found = scores(40)
    gold[3] = np.nan
    write_store(path, info(()), guids, gold, found)
    (file,) = write_csv(tmp_path / "out.csv", [path])
    table = pd.read_csv(file)
    assert list(table.columns) == [
        "guid", "task", "split", "gold", "score", "spread", "t0 score", "t1 score", "t2 score",
    ]  # fmt: skip
    assert np.array_equal(table["t1 score"].astype(np.float32), found[:, 1, 0])
    assert np.array_equal(np.isnan(table["gold"]), np.isnan(gold))
    assert table["gold"][4] == gold[4]
    assert np.allclose(table["spread"], found[:, :, 0].std(axis=1), rtol=1e-4)


def test_names_with_commas_and_quotes_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    odd = ('no, "never"', "'ja; wohl'")
    teacher = (Teacher('x,"y"', "e", "ab" * 32),)
    write_store(path, info(odd, teacher), *values(20, classes=2, teachers=1))
    rows = read(write_csv(tmp_path / "out.csv", [path])[0])
    assert {row["gold"] for row in rows} == set(odd)
    assert 'p(no, "never")' in rows[0]
    assert 'x,"y" prediction' in rows[0]


def test_chosen_rows_have_the_same_cells_with_rank_and_texts(tmp_path: Path) -> None:
    path = store(tmp_path / "train.parquet", rows=60)
    everything = {row["guid"]: row for row in read(write_csv(tmp_path / "all.csv", [path])[0])}
    chosen = top_disagreement(path, 4)
    texts = {guid: (f"first of {guid}", "two, with a comma") for guid in everything}
    (file,) = write_selections_csv(tmp_path / "some.csv", [chosen], texts)
    rows = read(file)
    assert [row["guid"] for row in rows] == chosen.chunk.guids.to_pylist()
    assert list(rows[0])[:2] == ["guid", "divergence"]
    for row, value in zip(rows, chosen.values, strict=True):
        assert float(row.pop("divergence")) == pytest.approx(value, rel=1e-5)
        assert (row.pop("text_1"), row.pop("text_2")) == texts[row["guid"]]
        assert row == everything[row["guid"]]


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+x", "-LRB- x", "\t=1", "-"])
def test_no_cell_is_a_formula_to_a_spreadsheet(tmp_path: Path, text: str) -> None:
    path = tmp_path / "train.parquet"
    label = text.replace("\t", "")
    write_store(path, info((label, "yes"), (Teacher(label, "e", "ab" * 32),) * 2),
                *values(20, classes=2, teachers=2))  # fmt: skip
    chosen = top_disagreement(path, 3)
    texts = dict.fromkeys(chosen.chunk.guids.to_pylist(), (text, "-1.5"))
    (file,) = write_selections_csv(tmp_path / "out.csv", [chosen], texts)
    rows = read(file)
    assert {(row["text_1"], row["text_2"]) for row in rows} == {(f"'{text}", "-1.5")}
    assert {row["gold"] for row in read(write_csv(tmp_path / "all.csv", [path])[0])} == {
        f"'{label}", "yes"
    }  # fmt: skip
    cells = [cell for row in rows for cell in (*row, *row.values())]
    assert not [c for c in cells if c.startswith(("=", "@", "+", "\t")) or c.startswith("-L")]


def test_several_stores_need_a_folder_and_get_a_file_each(tmp_path: Path) -> None:
    one = store(tmp_path / "a.parquet", rows=5)
    other = store(tmp_path / "b.parquet", rows=6, labels=(), split="dev")
    with pytest.raises(UserError, match="need a folder"):
        write_csv(tmp_path / "out.csv", [one, other])
    with pytest.raises(UserError, match="one task and split"):
        write_csv(tmp_path / "out", [one, one])
    assert not (tmp_path / "out").exists()
    files = write_csv(tmp_path / "out", [one, other])
    assert files == [tmp_path / "out/made/train.csv", tmp_path / "out/made/dev.csv"]
    assert [len(read(file)) for file in files] == [5, 6]
    (inside,) = write_csv(tmp_path / "out", [other])  # one store and a folder that is there
    assert inside == files[1]


def test_a_file_appears_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtkd.soft_labels.write.ROWS", 100)
    path = store(tmp_path / "stores" / "train.parquet", rows=300, teachers=1)
    content = bytearray(path.read_bytes())
    place = len(content) // 2  # in the second of three row groups
    content[place : place + 40] = b"\xff" * 40
    path.write_bytes(content)
    out = tmp_path / "csv"
    out.mkdir()
    (out / "out.csv").write_text("what was there before")
    with pytest.raises(StoreError):
        write_csv(out / "out.csv", [path])
    assert [p.name for p in out.iterdir()] == ["out.csv"]
    assert (out / "out.csv").read_text() == "what was there before"
