"""Text from elsewhere cannot pass for ours, and does not flood what it is quoted in."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtkd.shown import is_plain, printable, reason, several, shown

CONTROLS = ["\x00", "\x07", "\t", "\r", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029",
            "\u202e", "\u2066", "\ufeff", "\ud800", "\U000e0041"]  # fmt: skip
ANYTHING = st.text(st.characters(exclude_categories=[]) | st.sampled_from([*CONTROLS, "\n"]))


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_character_is_escaped(control: str) -> None:
    assert not is_plain(f"a{control}b")
    assert printable(f"a{control}b") == f"a{control!r}b".replace("'", "")


@pytest.mark.parametrize(
    "text",
    ["", "it purrs", "caf\u00e9", "\u4e2d\u3000", "\U0001f468\u200d\U0001f469", "a\xa0b"],
)
def test_a_text_of_any_language_is_left_alone(text: str) -> None:
    assert is_plain(text)
    assert printable(text) == text


def test_a_further_line_does_not_start_where_a_message_does() -> None:
    assert printable("x\nerror: forged\n\nINFO y") == "x\n  error: forged\n  \n  INFO y"


@given(ANYTHING)
def test_what_is_printed_can_be_printed_and_obeyed_by_no_terminal(text: str) -> None:
    found = printable(text)
    found.encode()
    assert not {c for c in found if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")} - {"\n"}
    assert found.split("\n")[0] == printable(text.split("\n")[0])


@given(ANYTHING | st.lists(ANYTHING) | st.dictionaries(ANYTHING, ANYTHING) | st.binary())
def test_a_value_in_a_message_is_one_printable_line(value: object) -> None:
    assert shown(value).isprintable()
    assert several([value, value]).isprintable()


def test_a_short_value_is_quoted_whole() -> None:
    assert [shown(v) for v in ("cow", 3, None, 2.5, "it's")] == ["'cow'", "3", "None", "2.5",
                                                                '"it\'s"']  # fmt: skip


NESTED: list[object] = []
for _ in range(50_000):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    "value", ["x" * 10**7, [0] * 10**6, NESTED, {str(i): i for i in range(10**5)}, b"x" * 10**7,
              "\x1b" * 10**6, 10**4000],
    ids=range(7),
)  # fmt: skip
def test_a_long_value_is_cut(value: object) -> None:
    assert len(shown(value)) < 600


def test_many_names_are_counted() -> None:
    assert several(["a", "b\n"]) == r"'a', 'b\n'"
    assert several([]) == "none"
    assert several(range(1000), 2) == "0, 1, and 998 more"
    assert len(several(["x" * 1000] * 1000)) < 700


def test_a_librarys_error_is_given_in_a_line() -> None:
    assert reason(ValueError("first\nsecond")) == "first"
    assert reason(ValueError()) == "ValueError"
    assert len(reason(ValueError("x" * 10**6))) < 300
