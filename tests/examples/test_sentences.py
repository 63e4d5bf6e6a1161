"""Cut at ends of sentences, a text comes back but for white space, and no sentence is empty."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtkd.examples.sentences import parts, sentences

PIECES = ("The", "cat", "Dr", "J", "I", "3.5", ".", "!", "?", "\u2026", '"', ")", "(", "\u3002",
          "\uff1f", " ", "  ", "\n", "\n\n", "\t", "\u00a0", "e.g", "\u2028")  # fmt: skip
ANY = st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=80)


@given(ANY)
def test_joined_sentences_are_the_text_up_to_white_space(text: str) -> None:
    found = list(sentences(text))
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(sentence and sentence == sentence.strip() for sentence in found)


@given(ANY)
def test_a_sentence_by_itself_is_one_sentence(text: str) -> None:
    for sentence in sentences(text):
        assert list(sentences(sentence)) == [sentence]


@pytest.mark.parametrize(
    "expected",
    [
        ["The cat sleeps.", "The dog runs!", "Does it?", "It does."],
        ['"Who is it?" he asked.', "Nobody said."],
        ['He said: "No."', '"Why?"', "(He had gone.)", "All was well..."],
        ["Dr. Smith met J. R. Jones and Mrs. Brown.", "They ate."],
        ["It is older than I.", "He knows, e.g. The Times, cf. Smith vs. Jones."],
        ["It cost 3.5 million.", "5 were left."],
        ["the cat sleeps . the dog runs ."],  # all small letters: where it ends cannot be seen
        ["Cats sleep .", "Dogs run ."],
        ["A heading\n\n", "the text of it"],
        ["\u732b\u304c\u5bdd\u308b\u3002", "\u72ac\u304c\u8d70\u308b\uff01"],
    ],
)
def test_sentences_end_where_the_rule_says(expected: list[str]) -> None:
    whole = [sentence.strip() for sentence in expected]
    assert list(sentences(" ".join(expected))) == whole


@pytest.mark.parametrize("unit", [".", '."', "a.", ". ", ' "', "\n ", "\u3002", "(", ".(", " \n"])
def test_a_text_of_millions_of_characters_takes_seconds(unit: str) -> None:
    text = unit * (2**21 // len(unit))
    started = time.process_time()
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())
    assert time.process_time() - started < 10


@given(st.integers(0, 250_000), st.sampled_from(("word ", "x", " ", "\n", "\u732b")))
def test_joined_parts_are_the_text_and_none_is_long(size: int, unit: str) -> None:
    text = (unit * size)[:size]
    found = list(parts(text))
    assert "".join(found) == text
    assert max(map(len, found)) <= 100_000
    assert len(found) <= 1 + 2 * size // 100_000


def test_a_part_ends_before_white_space() -> None:
    found = list(parts("word " * 50_000))
    assert all(part.startswith(" word") for part in found[1:])
