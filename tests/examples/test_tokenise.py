"""Tokenised rows are what the tokenizer makes of each row by itself, whatever the tokenizer."""

from __future__ import annotations

import gc
import importlib
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from mtkd.encoders import load_tokenizer
from mtkd.errors import DataError
from mtkd.examples import Example, fingerprint, has_split, read_examples, tokenise
from mtkd.recipe.schema import DataSettings
from mtkd.task import Task, load_task, task_names
from tests.rows import RTE, make_examples

SAMPLE = DataSettings(source="sample")
LENGTH = 24  # cuts many rows
ODD = ("", " ", "[SEP] </s> <sep>", "caf\u00e9 \u4e2d\u6587 \U0001f600", "dog " * 60, "x" * 300)
TEXTS = ("the cat sleeps", "a dog runs and the bird sees it", "caf\u00e9")

MakeTokenizer = Callable[[], PreTrainedTokenizerBase]


def byte_level() -> PreTrainedTokenizerBase:
    """Of RoBERTa's kind: no type ids, and two separators between the texts."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<s>", "<pad>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(TEXTS, trainer)
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        model_input_names=["input_ids", "attention_mask"],
    )


def specials_last() -> PreTrainedTokenizerBase:
    """Of XLNet's kind: the class token at the end with a type of its own; cut on the left."""
    pieces = [("<unk>", -9.0), ("<pad>", 0.0), ("<sep>", 0.0), ("<cls>", 0.0), ("\u2581", -2.0)]
    pieces += [(chr(c), -5.0) for c in range(97, 123)] + [("\u2581the", -1.0), ("\u2581dog", -1.0)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.post_processor = processors.TemplateProcessing(
        single="$A:0 <sep>:0 <cls>:2",
        pair="$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2",
        special_tokens=[("<sep>", 2), ("<cls>", 3)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        truncation_side="left",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


@pytest.fixture(params=["word pieces", "byte level", "specials last"])
def make_tokenizer(request: pytest.FixtureRequest, tiny_encoder: str) -> MakeTokenizer:
    if request.param == "word pieces":
        return lambda: load_tokenizer(tiny_encoder)
    return byte_level if request.param == "byte level" else specials_last


def table(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_stream(file).read_all()


def one_by_one(examples: list[Example], tokenizer: PreTrainedTokenizerBase) -> dict[str, list]:
    """Return the columns, row by row, through the tokenizer's front door."""
    columns: dict[str, list] = {"guid": [], "texts": [], "label": [], "input_ids": []}
    columns |= {"segments": [], "length": []}
    if "token_type_ids" in tokenizer.model_input_names:
        columns["token_type_ids"] = []
    for example in examples:
        firsts, *seconds = [[text] for text in example.texts]
        row = tokenizer(firsts, *seconds, truncation="longest_first", max_length=LENGTH)
        columns["guid"].append(example.guid)
        columns["texts"].append(list(example.texts))
        columns["label"].append(None if example.label is None else float(example.label))
        columns["input_ids"].append(row["input_ids"][0])
        columns["segments"].append([0 if s is None else s + 1 for s in row.sequence_ids(0)])
        columns["length"].append(len(row["input_ids"][0]))
        if "token_type_ids" in columns:
            columns["token_type_ids"].append(row["token_type_ids"][0])
    return columns


@pytest.mark.parametrize("task", [load_task(name) for name in task_names()], ids=lambda t: t.name)
def test_sample_rows_come_out_as_one_by_one(
    task: Task, make_tokenizer: MakeTokenizer, tmp_path: Path
):
    for split in (split for split in task.splits if has_split(task, split, SAMPLE)):
        examples = list(islice(read_examples(task, split, SAMPLE), 30))
        info = tokenise(examples, make_tokenizer(), LENGTH, tmp_path / "rows.arrow")
        plain = one_by_one(examples, make_tokenizer())
        assert table(tmp_path / "rows.arrow").to_pydict() == plain
        assert (info.rows, info.tokens) == (len(examples), sum(plain["length"]))
        assert info.fingerprint == fingerprint(examples)


@pytest.mark.parametrize("texts", [1, 2])
def test_odd_texts_come_out_as_one_by_one(
    texts: int, make_tokenizer: MakeTokenizer, tmp_path: Path
):
    rows = [(first, second)[:texts] for first in ODD for second in ODD]
    examples = [Example(f"own/test/{i}", row, None) for i, row in enumerate(rows)]
    info = tokenise(examples, make_tokenizer(), LENGTH, tmp_path / "rows.arrow")
    assert table(tmp_path / "rows.arrow").to_pydict() == one_by_one(examples, make_tokenizer())
    long = make_tokenizer()  # without a bound
    assert info.cut == sum(len(long(*row)["input_ids"]) > LENGTH for row in rows)


@pytest.mark.parametrize("length", [16, 17, 31])
def test_pairs_are_cut_as_the_library_cuts_them(
    length: int, make_tokenizer: MakeTokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Every way that two texts can share the room, odd or even, the longer one first or second."""
    monkeypatch.setattr(f"{__name__}.LENGTH", length)
    words = [" ".join(["dog"] * n) for n in (0, 1, 2, 5, 6, 7, 8, 12, 13, 14, 15, 28, 29, 40, 41)]
    pairs = [(first, second) for first in words for second in words]
    examples = [Example(f"own/test/{i}", pair, None) for i, pair in enumerate(pairs)]
    tokenise(examples, make_tokenizer(), length, tmp_path / "rows.arrow")
    assert table(tmp_path / "rows.arrow").to_pydict() == one_by_one(examples, make_tokenizer())


def test_a_row_of_just_the_maximum_length_is_not_cut(tiny_encoder: str, tmp_path: Path):
    words = (LENGTH - 3, LENGTH - 2, LENGTH - 1)  # with two specials
    examples = [Example(f"own/test/{n}", ("dog " * n,), None) for n in words]
    assert tokenise(examples, load_tokenizer(tiny_encoder), LENGTH, tmp_path / "x").cut == 1
    assert table(tmp_path / "x")["length"].to_pylist() == [LENGTH - 1, LENGTH, LENGTH]


def test_texts_are_told_apart_without_type_ids(tmp_path: Path):
    examples = [Example("own/test/0", ("a", "b"), None)]
    tokenise(examples, byte_level(), LENGTH, tmp_path / "rows.arrow")
    found = table(tmp_path / "rows.arrow")
    assert "token_type_ids" not in found.column_names
    assert found["segments"].to_pylist() == [[0, 1, 0, 0, 2, 0]]


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 10 rows; the module by its name, as the package has a function of that name."""
    monkeypatch.setattr(importlib.import_module("mtkd.examples.tokenise"), "_CHUNK", 10)


@pytest.mark.parametrize("rows", [1, 9, 10, 11, 100])
def test_the_way_rows_are_cut_into_chunks_does_not_matter(
    rows: int, tiny_encoder: str, tmp_path: Path, request: pytest.FixtureRequest
):
    examples = make_examples(RTE, rows)
    whole = tokenise(examples, load_tokenizer(tiny_encoder), 8, tmp_path / "whole.arrow")
    request.getfixturevalue("small_chunks")
    parts = tokenise(iter(examples), load_tokenizer(tiny_encoder), 8, tmp_path / "parts.arrow")
    assert parts == whole
    assert table(tmp_path / "parts.arrow").equals(table(tmp_path / "whole.arrow"))


@pytest.mark.usefixtures("small_chunks")
def test_a_split_is_never_in_memory_whole(tiny_encoder: str, tmp_path: Path):
    def alive() -> int:
        return sum(type(thing) is Example for thing in gc.get_objects())

    most = 0

    def rows() -> Iterator[Example]:
        nonlocal most
        for i in range(300):
            most = max(most, alive()) if i % 50 == 45 else most
            yield Example(f"own/train/{i}", (f"the dog {i}",), 0)

    before = alive()
    assert tokenise(rows(), load_tokenizer(tiny_encoder), LENGTH, tmp_path / "x").rows == 300
    assert most - before <= 30


@pytest.mark.usefixtures("small_chunks")
def test_a_wrong_row_ends_it_and_leaves_no_thread(tiny_encoder: str, tmp_path: Path):
    def rows() -> Iterator[Example]:
        yield from make_examples(RTE, 35)
        raise DataError("train.tsv:36: expected 4 fields, found 3")

    threads = threading.active_count()
    with pytest.raises(DataError, match="36"):
        tokenise(rows(), load_tokenizer(tiny_encoder), LENGTH, tmp_path / "rows.arrow")
    assert threading.active_count() == threads


def test_no_rows_make_a_file_without_rows(tiny_encoder: str, tmp_path: Path):
    info = tokenise([], load_tokenizer(tiny_encoder), LENGTH, tmp_path / "rows.arrow")
    assert (info.rows, info.cut, info.tokens) == (0, 0, 0)
    assert table(tmp_path / "rows.arrow").num_rows == 0
