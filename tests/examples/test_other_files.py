import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtkd.errors import DataError
from mtkd.examples import Example
from tests.examples.own_cards import own_task, read, regression

ROWS = [{"text": 'it "purrs", softly\nand long', "label": "cat"}, {"text": "barks", "label": "dog"}]
EXAMPLES = [
    Example("pets/train/0", (ROWS[0]["text"],), 0),
    Example("pets/train/1", ("barks",), 1),
]


def write(folder, name, rows):
    frame = pd.DataFrame(rows)
    if name.endswith(".csv"):
        frame.to_csv(folder / name, index=False)
    elif name.endswith(".parquet"):
        frame.to_parquet(folder / name)
    else:
        frame.to_json(folder / name, orient="records", lines=True)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.json", "t.parquet"])
def test_what_pandas_writes_is_read_as_it_was(tmp_path, name):
    write(tmp_path, name, ROWS)
    assert read(own_task(tmp_path, {"path": name})) == EXAMPLES


@pytest.mark.parametrize(
    ("name", "row"),
    [("t.csv", '"a" b,cat')]
    + [(name, row) for name in ("t.csv", "t.tsv") for row in ("a,cat,more", "a,other kind")],
)
def test_a_refused_file_is_closed_while_its_error_is_held(tmp_path, name, row):
    lines = f"text,label\n{row}\nlast,cat\n"
    (tmp_path / name).write_text(lines if name == "t.csv" else lines.replace(",", "\t"))
    with pytest.raises(DataError) as caught:
        read(own_task(tmp_path, {"path": name}))
    open_files = {path.resolve() for path in Path("/proc/self/fd").iterdir()}
    assert caught.value is not None
    assert tmp_path / name not in open_files


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_numbers_are_labels_as_files_write_them(tmp_path, name):
    write(tmp_path, name, [{"text": "x", "label": 1}, {"text": "y", "label": 0}])
    task = own_task(tmp_path, {"path": name}, file_labels=["0", "1"])
    assert [e.label for e in read(task)] == [1, 0]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_scores_and_ids_may_be_numbers(tmp_path, name):
    write(tmp_path, name, [{"n": 7, "text": "x", "label": 2.5}, {"n": 8, "text": "y", "label": 5}])
    assert read(regression(tmp_path, {"path": name, "id": "n"})) == [
        Example("pets/train/7", ("x",), 2.5),
        Example("pets/train/8", ("y",), 5.0),
    ]


@pytest.mark.parametrize(
    ("name", "where"), [("t.csv", ":3"), ("t.jsonl", ":2"), ("t.parquet", ":row 2")]
)
@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "y", "label": "cow"}, "label: expected one of 'cat', 'dog', found 'cow'"),
        ({"text": None, "label": "cat"}, "text: expected text, found none"),
        ({"text": "y", "label": None}, "label: expected a gold label, found none"),
    ],
)
def test_a_wrong_row_is_named_by_its_place(tmp_path, name, where, row, message):
    write(tmp_path, name, [{"text": "x", "label": "cat"}, row])
    with pytest.raises(DataError) as caught:
        read(own_task(tmp_path, {"path": name}))
    assert str(caught.value).startswith(f"{tmp_path / name}{where}: {message}")


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_a_missing_column_is_named_with_those_found(tmp_path, name):
    write(tmp_path, name, [{"txt": "x", "label": "cat"}])
    with pytest.raises(DataError, match=r"'text'.*txt.*did you mean 'txt'\?"):
        read(own_task(tmp_path, {"path": name}))


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_a_file_without_rows_is_refused(tmp_path, name):
    write(tmp_path, name, {"text": [], "label": []})
    if name == "t.jsonl":
        (tmp_path / name).write_bytes(b"")  # pandas writes an empty line
    with pytest.raises(DataError, match="expected rows for pets/train, found none"):
        read(own_task(tmp_path, {"path": name}))


def test_a_quoted_field_of_csv_counts_its_lines(tmp_path):
    (tmp_path / "t.csv").write_text('text,label\n"two\nlines",cat\nx,cow\n')
    with pytest.raises(DataError, match=r"t.csv:4: label: expected one of"):
        read(own_task(tmp_path, {"path": "t.csv"}))


@pytest.mark.parametrize("content", ['text,label\n"x,cat\n', 'text,label\n"x"y,cat\n'])
def test_broken_quoting_is_refused(tmp_path, content):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(DataError, match=r"t.csv:2: expected CSV, found: "):
        read(own_task(tmp_path, {"path": "t.csv"}))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "expected one JSON object on the line"),
        ("", "expected one JSON object on the line"),
        ("[1]", "expected a JSON object, found list"),
        ('{"text": 3, "label": "cat"}', "text: expected text, found 3"),
        (
            '{"text": "\\ud800", "label": "cat"}',
            "expected one JSON object on the line: .*surrogate",
        ),
        ("[" * 10_000, "expected one JSON object on the line"),
    ],
)
def test_a_line_that_is_no_row_of_json_is_refused(tmp_path, line, message):
    good = json.dumps({"text": "x", "label": "cat"})
    (tmp_path / "t.jsonl").write_text(f"{good}\n{line}\n")
    with pytest.raises(DataError, match=f"t.jsonl:2: {message}"):
        read(own_task(tmp_path, {"path": "t.jsonl"}))


@pytest.mark.parametrize("label", [True, "2.5.1", None, float("nan"), float("inf"), 10**400])
def test_a_score_of_json_is_a_number_too(tmp_path, label):
    (tmp_path / "t.jsonl").write_text(json.dumps({"text": "x", "label": label}))
    with pytest.raises(DataError, match=r"t.jsonl:1: label: expected a"):
        read(regression(tmp_path, {"path": "t.jsonl"}))


def test_parquet_of_many_batches_is_read_in_order(tmp_path):
    table = pa.table({"text": [f"row {i}" for i in range(3000)], "label": ["cat"] * 3000})
    pq.write_table(table, tmp_path / "t.parquet")
    examples = read(own_task(tmp_path, {"path": "t.parquet"}))
    assert [e.texts[0] for e in examples] == table["text"].to_pylist()
    assert examples[-1].guid == "pets/train/2999"


def test_what_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"text\tlabel\n")
    with pytest.raises(DataError, match=r"t.parquet: cannot be read as Parquet"):
        read(own_task(tmp_path, {"path": "t.parquet"}))
