"""The same texts are the same texts, from whatever place; what is none is refused by its key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset

from mtkd.encoders import load_tokenizer
from mtkd.errors import DataError
from mtkd.examples.corpus import write_corpus
from mtkd.examples.texts import LONGEST_TEXT, read_texts
from mtkd.recipe.compress import CorpusSettings
from mtkd.task import Task, load_task
from tests.examples.own_cards import own_task
from tests.memory import within

TEXTS = ["the cat sleeps .", "  a dog runs\t", "caf\u00e9 \u4e2d\u6587, \"said\" he", "no bird",
         "the cat sleeps ."]  # fmt: skip
FOUND = [text.strip() for text in TEXTS]


def corpus(**keys: object) -> CorpusSettings:
    return CorpusSettings.model_validate({"min_tokens": 1, "dev_share": 0.3, **keys})


def read(cards: Mapping[str, Task] | None = None, **keys: object) -> list[str]:
    return list(read_texts(corpus(**keys), cards or {}))


def in_file(folder: Path, ending: str, texts: list[str], column: str = "text") -> str:
    path = folder / f"texts{ending}"
    if ending == ".txt":
        path.write_text("\n".join(texts) + "\n", "utf-8")
    elif ending == ".parquet":
        pq.write_table(pa.table({column: texts, "other": [1] * len(texts)}), path)
    else:
        rows = [json.dumps({"other": 1, column: text}) for text in texts]
        path.write_text("\n".join(rows) + "\n", "utf-8")
    return str(path)


def in_task(folder: Path, texts: list[str]) -> dict[str, Task]:
    rows = [json.dumps({"text": text, "label": "cat"}) for text in texts]
    (folder / "train.jsonl").write_text("\n".join(rows) + "\n", "utf-8")
    return {"pets": own_task(folder, {"path": "train.jsonl"})}


ENDINGS = (".txt", ".jsonl", ".json", ".parquet")


@pytest.mark.parametrize("ending", ENDINGS)
def test_texts_of_a_file_are_read_without_white_space_around_them(
    ending: str, tmp_path: Path
) -> None:
    assert read(files=[in_file(tmp_path, ending, TEXTS)]) == FOUND


@pytest.mark.parametrize("ending", ENDINGS[1:])
def test_the_column_can_be_named(ending: str, tmp_path: Path) -> None:
    path = in_file(tmp_path, ending, TEXTS, "content")
    assert read(files=[path], column="content") == FOUND
    with pytest.raises(DataError, match=r"^corpus\.files: .*'text'.*'content'"):
        read(files=[path])


def test_the_rows_are_the_same_whatever_the_texts_are_read_from(
    tmp_path: Path, tiny_encoder: str, hub
) -> None:
    tokenizer = load_tokenizer(tiny_encoder)
    texts = [f"{TEXTS[i % 5]} {'cat ' * i}" for i in range(40)]
    hub(Dataset.from_dict({"text": texts}))
    places: dict[str, tuple[dict[str, object], dict[str, Task]]] = {
        ending: ({"files": [in_file(tmp_path, ending, texts)]}, {}) for ending in ENDINGS
    }
    places["tasks"] = ({"tasks": ["pets"]}, in_task(tmp_path, texts))
    places["hub"] = ({"hub": {"path": "some/texts"}}, {})
    written = {}
    for name, (keys, tasks) in places.items():
        folder = tmp_path / name
        folder.mkdir()
        write_corpus(read_texts(corpus(**keys), tasks), tokenizer, corpus(**keys), 1, folder)
        written[name] = [(folder / f"{split}.arrow").read_bytes() for split in ("train", "dev")]
    assert len({tuple(files) for files in written.values()}) == 1, written.keys()


def test_sources_follow_one_another_and_empty_texts_are_passed_over(tmp_path: Path, hub) -> None:
    hub(Dataset.from_dict({"text": ["of the hub", " "]}))
    one, two = tmp_path / "1.txt", tmp_path / "2.txt"
    one.write_bytes(b"\xef\xbb\xbfone\r\n\r\n \t\n")
    two.write_text("two\n\nthree")
    found = read(in_task(tmp_path, ["of a task"]), files=[str(two), str(one)],
                 hub={"path": "a/b"}, tasks=["pets"])  # fmt: skip
    assert found == ["two", "three", "one", "of the hub", "of a task"]


def test_all_texts_of_a_tasks_train_rows_are_read(tiny_glue: Path) -> None:
    keys = {"tasks": ["rte"], "data": {"root": str(tiny_glue)}}
    found = read({"rte": load_task("rte")}, **keys)
    lines = (tiny_glue / "RTE" / "train.tsv").read_text().splitlines()[1:]
    assert found == [text for line in lines for text in line.split("\t")[1:3]]


# what is no text


@pytest.mark.parametrize("ending", [".txt", ".jsonl", ".parquet"])
def test_a_text_of_10_mb_is_refused_where_it_stands(ending: str, tmp_path: Path) -> None:
    path = in_file(tmp_path, ending, ["short", "words" * 2_000_000])
    where = ":row 2" if ending == ".parquet" else ":2"
    with within(150), pytest.raises(DataError) as caught:
        read(files=[path])
    assert str(caught.value) == (
        f"corpus.files: {path}{where}: expected a text of at most {LONGEST_TEXT:,} characters, "
        "found 10,000,000; is each text on a line of its own?"
    )


def test_a_tasks_text_of_10_mb_is_refused(tmp_path: Path) -> None:
    tasks = in_task(tmp_path, ["short", "words" * 2_000_000])
    with pytest.raises(DataError, match=r"^corpus\.tasks: pets/train/1: expected a text of at mos"):
        read(tasks, tasks=["pets"])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", b"cat\ncaf\xe9\n", "a.txt:2: expected UTF-8, found the byte 0xe9"),
        ("a.txt", b"x" * (10 * 2**20 + 1), "a.txt:1: expected a row of at most 10 MiB"),
        ("a.txt", b"", "a.txt: expected texts, found none"),
        ("a.txt", b"\n \n\t\r\n", "a.txt: expected texts, found none"),
        ("a.jsonl", b"", "a.jsonl: expected texts, found none"),
        ("a.jsonl", b'{"text": "cat"}\n{"text": 3}\n', "a.jsonl:2: expected a text under 'text', "
                                                     "found 3; corpus.column names another"),
        ("a.jsonl", b'{"text": null}\n', "a.jsonl:1: expected a text under 'text', found None"),
        ("a.jsonl", b"the cat\n", "a.jsonl:1: expected one JSON object on the line"),
        ("a.jsonl", b"[1]\n", "a.jsonl:1: expected a JSON object, found list"),
        ("a.parquet", b"the cat\n", "a.parquet: cannot be read as Parquet"),
    ],
)  # fmt: skip
def test_what_is_no_text_is_named_by_key_and_place(
    name: str, content: bytes, says: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(files=[str(tmp_path / name)])
    assert str(caught.value).startswith(f"corpus.files: {tmp_path}/{says}")


# the hub


def test_the_hub_is_asked_for_what_the_recipe_names(hub) -> None:
    asked = hub(Dataset.from_dict({"content": TEXTS, "id": range(5)}))
    source = {"path": "org/texts", "config": "en", "revision": "v1", "split": "train[:1%]"}
    assert read(hub=source, column="content") == FOUND
    assert asked == [("org/texts", "en", "v1", "train[:1%]")]
    read(hub={"path": "org/texts"}, column="content")
    assert asked[1] == ("org/texts", None, None, "train")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (ConnectionError("no route"), "org/texts: not in the local cache, and the Hugging Face hu"),
        (datasets.exceptions.DatasetNotFoundError("it is gone"), "org/texts: it is gone"),
        (ValueError("Unknown split"), "org/texts: Unknown split"),
        (Dataset.from_dict({"content": ["cat"]}), "org/texts/train: expected a column 'text'"),
        (Dataset.from_dict({"text": ["cat", None]}), "org/texts/train:row 2: expected a text"),
        (Dataset.from_dict({"text": [1]}), "org/texts/train:row 1: expected a text"),
        (Dataset.from_dict({"text": [" "]}), "org/texts: expected texts, found none"),
        (Dataset.from_dict({"text": ["x" * (LONGEST_TEXT + 1)]}), "org/texts/train:row 1: e"),
    ],
)  # fmt: skip
def test_what_the_hub_has_not_is_named_by_its_key(
    answer: Dataset | Exception, says: str, hub
) -> None:
    hub(answer)
    with pytest.raises(DataError) as caught:
        read(hub={"path": "org/texts"})
    assert str(caught.value).startswith(f"corpus.hub: {says}")


def test_offline_the_cache_alone_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # the real `load_dataset` is called; HF_HUB_OFFLINE is set for all tests
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    monkeypatch.setattr(datasets.config, "HF_MODULES_CACHE", str(tmp_path))
    monkeypatch.setattr("socket.socket.connect", None)  # nobody calls
    with pytest.raises(DataError, match=r"^corpus\.hub: org/texts: not in the local cache, and"):
        read(hub={"path": "org/texts"})
