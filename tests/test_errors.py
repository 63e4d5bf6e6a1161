"""Hints in error messages."""

from __future__ import annotations

import time

from mtkd.errors import did_you_mean
from mtkd.shown import shown


def test_the_closest_known_word_is_proposed() -> None:
    assert did_you_mean("temprature", ["temperature", "folds"]) == "; did you mean 'temperature'?"
    assert did_you_mean("x", ["temperature", "folds"]) == ""


def test_a_word_from_a_file_can_forge_no_line() -> None:
    assert did_you_mean("guids", ["guid\nerror: x"]).isprintable()


def test_a_word_of_a_million_letters_is_not_compared() -> None:
    started = time.process_time()
    assert did_you_mean("a" * 10**6, ["a" * 10**6]) == ""
    assert time.process_time() - started < 1


def test_a_known_word_of_many_letters_is_not_compared_either() -> None:
    started = time.process_time()
    assert did_you_mean("aba" * 60, ["ab" * 30_000, "aba" * 61]) == (
        f"; did you mean {shown('aba' * 61)}?"
    )
    assert time.process_time() - started < 1
