"""Hints in error messages."""

from __future__ import annotations

import time

from mtkd.errors import did_you_mean


def test_the_closest_known_word_is_proposed() -> None:
    assert did_you_mean("temprature", ["temperature", "folds"]) == "; did you mean 'temperature'?"
    assert did_you_mean("x", ["temperature", "folds"]) == ""


def test_a_word_from_a_file_can_forge_no_line() -> None:
    assert did_you_mean("guids", ["guid\nerror: x"]).isprintable()


def test_a_word_of_a_million_letters_is_not_compared() -> None:
    started = time.process_time()
    assert did_you_mean("a" * 10**6, ["a" * 10**6]) == ""
    assert time.process_time() - started < 1


def test_many_long_words_are_not_all_compared() -> None:
    """As in a table of 557 columns, each called by one letter many times over."""
    started = time.process_time()
    did_you_mean("ab" * 40, ["a" * 150 + "b" * i for i in range(2000)])
    did_you_mean("ab" * 40, ["ab" * 35 + str(i) for i in range(20_000)])
    assert time.process_time() - started < 3
