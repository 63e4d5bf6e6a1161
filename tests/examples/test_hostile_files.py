"""Files that are made to fill the memory or to pass for what they are not: an error, soon."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtkd.encoders import load_tokenizer
from mtkd.errors import DataError
from mtkd.examples import Example, read_examples, tokenise
from mtkd.examples.lines import LONGEST_ROW
from mtkd.examples.rows import Columns, RawRow, ReadReport, to_examples
from tests.examples.own_cards import ANY_DATA, own_task, read, regression
from tests.memory import within

MB = 10**6
MOST = 500  # megabytes


def refused(folder: Path, name: str, where: str, **keys: object) -> str:
    """Read a file, which must end in an error that names a place in it; return what it says."""
    task = own_task(folder, {"path": name, **keys})
    start = time.process_time()
    with within(MOST), pytest.raises(DataError) as caught:
        for _ in read_examples(task, "train", ANY_DATA):
            pass
    assert time.process_time() - start < 10
    message = str(caught.value)
    assert message.startswith(f"{folder / name}{where}: ")
    assert len(message) < 1000
    assert message.isprintable()
    return message


def write_sparse(path: Path, start: bytes, size: int, end: bytes = b"") -> None:
    """Write a file of `size` bytes, zeros between `start` and `end` that take no place on disk."""
    with path.open("wb") as file:
        file.write(start)
        os.ftruncate(file.fileno(), size - len(end))
        file.seek(0, os.SEEK_END)
        file.write(end)


@pytest.mark.parametrize("name", ["t.tsv", "t.csv", "t.jsonl"])
def test_a_line_of_1000_mb_is_refused(tmp_path: Path, name: str) -> None:
    start = (
        b"" if name == "t.jsonl" else f"text{',' if name == 't.csv' else chr(9)}label\n".encode()
    )
    write_sparse(tmp_path / name, start, 1000 * MB)
    line = 1 if name == "t.jsonl" else 2
    assert "at most 10 MiB" in refused(tmp_path, name, f":{line}")


def test_a_file_of_1000_mb_on_one_line_is_refused_as_a_header_too(tmp_path: Path) -> None:
    write_sparse(tmp_path / "t.tsv", b"text\tlabel", 1000 * MB)
    assert "at most 10 MiB" in refused(tmp_path, "t.tsv", ":1")


def test_a_quote_that_is_never_closed_does_not_take_in_the_file(tmp_path: Path) -> None:
    line = b"x" * 999 + b"\n"
    (tmp_path / "t.csv").write_bytes(b'text,label\n"' + line * 30_000)
    assert "at most 10 MiB" in refused(tmp_path, "t.csv", f":{2 + LONGEST_ROW // 1000}")


def test_a_record_of_many_quoted_lines_is_bounded_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"text,label\n" + b'"x\n",' * 4_000_000)
    assert "at most 10 MiB" in refused(tmp_path, "t.csv", f":{2 + LONGEST_ROW // 5}")


def test_a_line_of_tabs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_bytes(b"\t" * (LONGEST_ROW - 1))
    assert "at most 10,000 columns" in refused(tmp_path, "t.tsv", ":1")


@pytest.mark.parametrize(
    "line", ["[{}" + ",{}" * 3 * MB, '[{"":0}' + ',{"":0}' * MB], ids=["dicts", "keys"]
)  # fmt: skip
def test_a_line_of_many_small_values_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "t.jsonl").write_text(line + "]")
    assert "expected a JSON object, found list" in refused(tmp_path, "t.jsonl", ":1")


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("depth", [900, MB])
def test_deep_nesting_is_refused(tmp_path: Path, opening: str, depth: int) -> None:
    closing = "".join({"[": "]", "{": "}"}.get(c, "") for c in reversed(opening))
    value = f"{opening * depth}1{closing * depth}"
    (tmp_path / "t.jsonl").write_text(f'{{"text": {value}, "label": "cat"}}')
    refused(tmp_path, "t.jsonl", ":1")


@pytest.mark.parametrize("value", [[["x"] * 300_000], {"a": {"b": "x" * MB}}, "y" * 5 * MB])
def test_an_error_quotes_the_start_of_a_long_value_only(tmp_path: Path, value: object) -> None:
    (tmp_path / "t.jsonl").write_text(json.dumps({"text": "x", "label": value}))
    assert "label: expected one of" in refused(tmp_path, "t.jsonl", ":1")


def test_keys_without_number_are_not_all_quoted(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(json.dumps({f"key{i}": i for i in range(100_000)}))
    assert "and 99,980 more" in refused(tmp_path, "t.jsonl", ":1")


@pytest.mark.parametrize("number", ["1" * 5000, "-" + "9" * 4000, "NaN", "Infinity", "1e999"])
def test_numbers_beyond_all_measure_are_refused(tmp_path: Path, number: str) -> None:
    (tmp_path / "t.jsonl").write_text(f'{{"text": "x", "label": {number}, "n": 1}}')
    for task in (
        own_task(tmp_path, {"path": "t.jsonl"}),
        regression(tmp_path, {"path": "t.jsonl"}),
    ):
        with pytest.raises(DataError, match=r"t\.jsonl:1: .*expected"):
            read(task)


@pytest.mark.parametrize(
    "identity", ["a\nb", "a\tb", "\x1b[2J", "\u202ea", "\u2028", "\x00", "x" * 2000]
)
@pytest.mark.parametrize("name", ["t.jsonl", "t.csv", "t.parquet"])
def test_an_id_can_forge_no_line(tmp_path: Path, identity: str, name: str) -> None:
    table = pa.table({"n": [identity], "text": ["x"], "label": ["cat"]})
    if name == "t.parquet":
        pq.write_table(table, tmp_path / name)
    elif name == "t.csv":
        table.to_pandas().to_csv(tmp_path / name, index=False)
    else:
        (tmp_path / name).write_text(json.dumps(table.to_pylist()[0]))
    place = {"t.jsonl": ":1", "t.parquet": ":row 1"}.get(name, f":{2 + identity.count(chr(10))}")
    assert "expected an id" in refused(tmp_path, name, place, id="n")


@pytest.mark.parametrize("excess", [0, 1])
def test_a_text_from_anywhere_has_a_longest_length(tmp_path: Path, excess: int) -> None:
    """The hub's rows come through no reader of files."""
    rows = [RawRow("hub:row 1", {0: "x" * (LONGEST_ROW + excess), 1: "cat"})]
    found = to_examples(rows, Columns(None, (0,), 1), own_task(tmp_path), "train", ReadReport())
    if not excess:
        assert len(next(found).texts[0]) == LONGEST_ROW
        return
    with pytest.raises(DataError, match=r"hub:row 1: 0: expected a text of at most 10,485,760 c"):
        next(found)


def test_any_printable_id_is_one(tmp_path: Path) -> None:
    ids = ["a b", "caf\u00e9", "\u4e2d/\u6587", "https://x.y/?a=1", "../x", "=1"]
    lines = "".join(f"{i}\tx\tcat\n" for i in ids)
    (tmp_path / "train.tsv").write_text(f"n\ttext\tlabel\n{lines}", "utf-8")
    found = read(own_task(tmp_path, {"id": "n"}))
    assert [e.guid for e in found] == [f"pets/train/{i}" for i in ids]


def test_a_column_name_of_a_file_cannot_forge_a_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('"te\nxt\x1b[2J","label"\nx,cat\n')
    assert r"te\nxt\x1b[2J" in refused(tmp_path, "t.csv", ":2")


# Parquet


def test_a_text_of_100_mb_in_a_few_kb_is_refused(tmp_path: Path) -> None:
    table = pa.table({"text": ["0" * 100 * MB], "label": ["cat"]})
    pq.write_table(table, tmp_path / "t.parquet", compression="zstd")
    assert (tmp_path / "t.parquet").stat().st_size < 100_000
    refused(tmp_path, "t.parquet", ":row 1")


@pytest.mark.parametrize("encoding", ["dictionary", "DELTA_BYTE_ARRAY"])
def test_one_text_said_of_many_rows_is_read_a_few_rows_at_a_time(
    tmp_path: Path, encoding: str
) -> None:
    """5 GB of texts in a file of some KB: once, and then that each row has it too."""
    rows = 1000 if encoding == "dictionary" else 60  # pyarrow writes these out for itself
    text = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["0" * 5 * MB])
    table = pa.table({"text": text, "label": ["cat"] * rows})
    options: dict[str, object] = {"dictionary_pagesize_limit": 10 * MB}
    if encoding != "dictionary":
        table = table.cast(pa.schema([("text", pa.string()), ("label", pa.string())]))
        options = {"use_dictionary": False, "column_encoding": {"text": encoding}}
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, compression="zstd", **options)
    assert path.stat().st_size < 100_000
    task = own_task(tmp_path, {"path": "t.parquet"})
    del table, text
    with within(MOST):
        found = read_examples(task, "train", ANY_DATA)
        assert [len(next(found).texts[0]) for _ in range(30)] == [5 * MB] * 30


def test_a_list_of_30_million_numbers_is_no_text(tmp_path: Path) -> None:
    numbers = pa.ListArray.from_arrays([0, 30 * MB], np.zeros(30 * MB, dtype=np.float32))
    pq.write_table(pa.table({"text": numbers, "label": ["cat"]}), tmp_path / "t.parquet")
    refused(tmp_path, "t.parquet", ":row 1")


def test_a_footer_that_claims_billions_of_rows_is_refused(tmp_path: Path) -> None:
    """Every number of the footer that says how many rows there are, made a large one."""
    table = pa.table({"text": ["x"] * 100, "label": ["cat"] * 100})
    pq.write_table(table, tmp_path / "t.parquet", store_schema=False, write_statistics=False)
    content = (tmp_path / "t.parquet").read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    hundred, billions = b"\xc8\x01", b"\xfe\xff\xff\xff\x1f"  # zigzag varints: 100, 2**32 - 1
    claimed = content[footer:-8].replace(hundred, billions)
    assert claimed != content[footer:-8]
    (tmp_path / "t.parquet").write_bytes(
        content[:footer] + claimed + len(claimed).to_bytes(4, "little") + b"PAR1"
    )
    assert pq.read_metadata(tmp_path / "t.parquet").num_rows == 2**32 - 1
    refused(tmp_path, "t.parquet", "")


@pytest.mark.parametrize("key", ["mtkd", "pandas", "ARROW:schema"])
def test_deeply_nested_metadata_do_no_harm(tmp_path: Path, key: str) -> None:
    table = pa.table({"text": ["x"], "label": ["cat"]})
    deep = table.replace_schema_metadata({key: "[" * 5 * MB})
    pq.write_table(deep, tmp_path / "t.parquet", store_schema=False)
    assert len(read(own_task(tmp_path, {"path": "t.parquet"}))) == 1


def test_text_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    raw = pa.array([b"caf\xe9"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": raw, "label": ["cat"]}), tmp_path / "t.parquet")
    refused(tmp_path, "t.parquet", "")


# tokens


def tokenised(folder: Path, encoder: str, *texts: str) -> list[int]:
    encode = load_tokenizer(encoder)
    examples = (Example(f"own/test/{i}", (text,), None) for i, text in enumerate(texts))
    with within(MOST):
        tokenise(examples, encode, 512, folder / "rows.arrow")
    with pa.memory_map(str(folder / "rows.arrow")) as file:
        return pa.ipc.open_stream(file).read_all()["input_ids"].to_pylist()


@pytest.mark.parametrize("unit", ["a ", "\u4e2d", ".", " ", "x", "e\u0301"])
def test_a_text_of_10_mb_is_cut_to_its_first_tokens(
    tmp_path: Path, tiny_encoder: str, unit: str
) -> None:
    huge, short = (unit * (size // len(unit)) for size in (LONGEST_ROW, 50_000))
    found = tokenised(tmp_path, tiny_encoder, huge, huge, short)
    assert found[0] == found[1] == found[2]


def test_many_long_texts_are_not_held_at_once(tmp_path: Path, tiny_encoder: str) -> None:
    def rows() -> Iterator[Example]:
        for i in range(12):
            yield Example(f"own/test/{i}", (f"a{i} " * (5 * MB // 4),) * 2, None)

    encode = load_tokenizer(tiny_encoder)
    with within(MOST):
        info = tokenise(rows(), encode, 128, tmp_path / "rows.arrow")
    assert (info.rows, info.cut) == (12, 12)
