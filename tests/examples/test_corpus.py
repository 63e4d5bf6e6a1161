"""Texts become rows of a bounded length, none lost unsaid, the same ones on the same side."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from transformers import PreTrainedTokenizerBase

from mtkd.encoders import load_tokenizer
from mtkd.errors import DataError, EncoderError
from mtkd.examples.corpus import CorpusInfo, write_corpus
from mtkd.examples.sentences import sentences
from mtkd.recipe.compress import CorpusSettings
from tests.memory import within

WORDS = ("the", "a", "cat", "dog", "bird", "man", "sleeps", "sees", "runs", "eats", "likes", "does",
         "not", "big", "small", "red")  # fmt: skip
UNITS = ("text", "sentence", "block")


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: str) -> PreTrainedTokenizerBase:
    return load_tokenizer(tiny_encoder)


def made(count: int, seed: int = 0, shortest: int = 1, longest: int = 60) -> list[str]:
    """Return texts of so many words, in sentences, a tenth of them with unknown words."""
    draw = random.Random(seed)
    texts = []
    for _ in range(count):
        words = draw.choices([*WORDS, *WORDS, "The", ".", "!"], k=draw.randint(shortest, longest))
        if draw.random() < 0.1:
            words = ["\u4e2d" if draw.random() < 0.8 else word for word in words]
        texts.append(" ".join(words))
    return texts


def settings(**keys: object) -> CorpusSettings:
    content = {"files": ["any.txt"], "max_length": 16, "min_tokens": 4, "dev_share": 0.2, **keys}
    return CorpusSettings.model_validate(content)


def written(
    folder: Path, tokenizer: PreTrainedTokenizerBase, texts: Iterable[str], seed: int = 1,
    **keys: object,
) -> tuple[dict[str, list[list[int]]], CorpusInfo, np.ndarray]:  # fmt: skip
    folder.mkdir(exist_ok=True)
    info, counts = write_corpus(texts, tokenizer, settings(**keys), seed, folder)
    rows = {}
    for split in ("train", "dev"):
        with pa.memory_map(str(folder / f"{split}.arrow")) as file:
            table = pa.ipc.open_stream(file).read_all()
        rows[split] = table["input_ids"].to_pylist()
        assert table["length"].to_pylist() == [len(row) for row in rows[split]]
        assert table["guid"].to_pylist() == [f"corpus/{split}/{i}" for i in range(len(table))]
    return rows, info, counts


def whole(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("unit", UNITS)
def test_rows_have_specials_at_their_ends_and_at_most_max_length_tokens(
    unit: str, tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    rows, info, _ = written(tmp_path, tokenizer, made(300), unit=unit)
    for split, found in rows.items():
        assert found
        for row in found:
            assert (row[0], row[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
            assert 4 + 2 <= len(row) <= 16
            assert not {tokenizer.cls_token_id, tokenizer.sep_token_id} & set(row[1:-1])
        assert info.rows[split] == len(found)
        assert info.tokens[split] == sum(map(len, found))


@pytest.mark.parametrize("unit", UNITS)
def test_no_token_is_lost_where_nothing_is_left_out(
    unit: str, tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    texts = made(300)
    rows, info, _ = written(tmp_path, tokenizer, texts, unit=unit, min_tokens=1, max_unknown=1.0)
    assert (info.texts, info.short, info.unknown) == (300, 0, 0)
    found = sorted(token for split in rows.values() for row in split for token in row[1:-1])
    assert found == sorted(token for text in texts for token in whole(tokenizer, text))


def test_a_text_is_cut_into_full_rows_and_a_rest_in_their_order(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    texts = made(200, longest=100)
    rows, _, _ = written(tmp_path, tokenizer, texts, min_tokens=1, max_unknown=1.0)
    expected = []
    for text in texts:
        ids = whole(tokenizer, text)
        expected += [ids[i : i + 14] for i in range(0, len(ids), 14)]
    found = [row[1:-1] for split in rows.values() for row in split]
    assert sorted(found) == sorted(expected)


def test_a_sentence_is_a_row(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    texts = made(200)
    rows, _, _ = written(
        tmp_path, tokenizer, texts, unit="sentence", min_tokens=1, max_unknown=1.0, max_length=128
    )
    expected = [whole(tokenizer, sentence) for text in texts for sentence in sentences(text)]
    assert len(expected) > 210
    found = [row[1:-1] for split in rows.values() for row in split]
    assert sorted(found) == sorted(expected)


def test_blocks_are_texts_one_after_another_all_but_the_last_full(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    texts = made(1300, shortest=9)  # more than are tokenised together
    rows, _, _ = written(tmp_path, tokenizer, texts, unit="block", min_tokens=1, max_unknown=1.0)
    assert all(len(row) == 16 for split in rows.values() for row in split[:-1])
    joined = {split: [t for row in found for t in row[1:-1]] for split, found in rows.items()}
    for text in texts:
        ids = whole(tokenizer, text)
        split = next(s for s in joined if joined[s][: len(ids)] == ids)
        del joined[split][: len(ids)]
    assert joined == {"train": [], "dev": []}


def test_short_rows_and_rows_of_unknown_words_are_left_out_and_counted(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    plain = [f"the cat sees the dog {'a ' * i}" for i in range(40)]
    short = ["the cat sees", "dog", "\u4e2d"]
    unknown = ["\u4e2d \u4e2d \u4e2d cat dog"]
    half = ["\u4e2d \u4e2d cat dog"]  # not more than max_unknown
    rows, info, _ = written(
        tmp_path, tokenizer, [*plain, *short, *unknown, "", *half], max_length=64
    )
    assert info.texts == len(plain) + 5
    assert (info.short, info.unknown) == (3, 1)
    assert sum(map(len, rows.values())) == len(plain) + 1


@pytest.mark.parametrize("unit", UNITS)
def test_counts_are_those_of_the_train_rows(
    unit: str, tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    keys = {"unit": unit, "min_tokens": 1, "max_unknown": 1.0}
    rows, _, counts = written(tmp_path, tokenizer, made(303), **keys)
    tokens = [token for row in rows["train"] for token in row]
    assert unit != "block" or len(rows["train"][-1]) < 16  # the last is counted too
    assert counts.tolist() == np.bincount(tokens, minlength=len(tokenizer)).tolist()


def sides(rows: dict[str, list[list[int]]]) -> tuple[set[tuple[int, ...]], set[tuple[int, ...]]]:
    train, dev = ({tuple(row) for row in rows[split]} for split in ("train", "dev"))
    return train, dev


@pytest.mark.parametrize("unit", ["text", "sentence"])
def test_what_is_held_out_is_so_whatever_the_order_and_how_often_it_occurs(
    unit: str, tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    texts = made(1500, longest=12)
    keys = {"unit": unit, "max_length": 64}
    train, dev = sides(written(tmp_path / "a", tokenizer, texts, **keys)[0])
    assert not train & dev
    assert 0.1 < len(dev) / len(train | dev) < 0.3
    mixed = [*texts, *texts[:700]]
    random.Random(3).shuffle(mixed)
    assert sides(written(tmp_path / "b", tokenizer, mixed, **keys)[0]) == (train, dev)


def test_a_sentence_of_many_texts_is_on_one_side(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    texts = [f"The cat sees the dog. A man likes {i} birds." for i in range(100)]
    train, dev = sides(written(tmp_path, tokenizer, texts, unit="sentence")[0])
    assert len(train | dev) == 101
    assert not train & dev


def test_other_seeds_hold_out_other_texts(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    texts = made(300)
    found = [written(tmp_path / str(s), tokenizer, texts, s)[0]["dev"] for s in (1, 2)]
    assert found[0] != found[1]


@pytest.mark.parametrize("unit", UNITS)
def test_same_seed_same_bytes(
    unit: str, tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    for name in ("a", "b"):
        written(tmp_path / name, tokenizer, made(1300), unit=unit)
    for split in ("train.arrow", "dev.arrow"):
        assert (tmp_path / "a" / split).read_bytes() == (tmp_path / "b" / split).read_bytes()


def test_a_text_of_millions_of_characters_loses_no_token_and_takes_little_memory(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    text = " ".join(random.Random(5).choices(WORDS, k=700_000))
    assert len(text) > 2_500_000
    others = [f"the cat sees the dog {'a ' * i}" for i in range(40)]
    written(tmp_path, tokenizer, others, max_length=128)
    with within(150):  # some chunks' tokens; all at once it is 300
        write_corpus([text, *others], tokenizer, settings(min_tokens=1, max_length=128), 1,
                     tmp_path)  # fmt: skip
    rows, _, _ = written(tmp_path, tokenizer, [text, *others], max_length=128, min_tokens=1)
    found = [t for split in rows.values() for row in split for t in row[1:-1]]
    assert len(found) == len(text.split()) + sum(len(other.split()) for other in others)


@pytest.mark.parametrize("unit", ["sentence", "block"])
def test_memory_does_not_grow_with_the_number_of_texts(
    unit: str, tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    def texts(times: int) -> Iterator[str]:
        for i in range(times):
            yield from (f"{i} {text}" for text in some)

    some = made(200, shortest=40, longest=120)
    few, _ = write_corpus(texts(4), tokenizer, settings(unit=unit), 1, tmp_path)
    with within(6):  # megabytes; all the rows are 14
        many, _ = write_corpus(texts(64), tokenizer, settings(unit=unit), 1, tmp_path)
    assert many.texts == 16 * few.texts


@pytest.mark.parametrize(
    ("texts", "keys", "says"),
    [
        ([], {}, "corpus: no row is left to learn from: of 0 texts"),
        (["cat"], {}, "of 1 texts 1 rows are shorter than corpus.min_tokens=4"),
        (["\u4e2d " * 9] * 5, {}, "5 have a larger share of unknown words than corpus.max_unknown"),
        (["cat"], {"min_tokens": 1, "dev_share": 1e-9}, "corpus.dev_share=1e-09: none of 1 rows"),
        (["cat"], {"min_tokens": 1, "dev_share": 1 - 1e-9}, "corpus.dev_share=1: all 1 rows"),
    ],
)
def test_a_corpus_that_leaves_nothing_is_refused_with_the_key(
    texts: list[str],
    keys: dict[str, object],
    says: str,
    tmp_path: Path,
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    with pytest.raises(DataError) as caught:
        written(tmp_path, tokenizer, texts, **keys)
    assert says in str(caught.value)


def test_a_tokenizer_without_a_mask_is_refused(tmp_path: Path, tiny_encoder: str) -> None:
    tokenizer = load_tokenizer(tiny_encoder)
    tokenizer.mask_token = None
    with pytest.raises(EncoderError, match=r"^teacher\.encoder: its tokenizer .* one for masks"):
        written(tmp_path, tokenizer, ["the cat"])
