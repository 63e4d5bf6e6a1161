"""What data say can forge no line of a log, no cell of a table, no order to a terminal."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator

import pytest

from mtkd.terminal import log_to_stderr, print_block, print_table

ESCAPES = "\x1b[2J\x1b]0;title\x07\x9b31m\u202e"
MARKUP = "[red]x[/red] [link=https://x.y]z[/link] :smile:"


@pytest.fixture(params=["terminal", "file"])
def log(
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[logging.Logger]:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: request.param == "terminal", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    logger = logging.getLogger("mtkd")
    before = (logger.handlers, logger.level, logger.propagate)
    log_to_stderr(logging.INFO)
    yield logging.getLogger("mtkd.made_up")
    logger.handlers, logger.level, logger.propagate = before


def plain(text: str) -> bool:
    return not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


def test_a_log_line_cannot_be_forged(
    log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = "10:00:00 INFO     everything is well"
    log.warning("%s: malformed", f"train.tsv{ESCAPES}\n{forged}\r{forged}\u2028{forged}")
    printed = capsys.readouterr().err
    assert plain(printed)
    lines = printed.splitlines()
    assert re.match(r"\d\d:\d\d:\d\d WARNING +train.tsv\\x1b\[2J", lines[0])
    assert all(line.startswith("  ") for line in lines[1:])


def test_a_log_line_has_no_markup(log: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    log.info("%s", MARKUP)
    assert MARKUP in capsys.readouterr().err


@pytest.mark.parametrize("where", ["title", "header", "cell"])
def test_a_table_cannot_be_forged(where: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = dict.fromkeys(("title", "header", "cell"), "word") | {where: f"{MARKUP} {ESCAPES}"}
    print_block(given["title"], ["no.", given["header"]], [["1", given["cell"]]])
    printed = capsys.readouterr().out
    assert plain(printed)
    assert MARKUP in printed
    assert r"\x1b[2J" in printed


def test_a_cells_own_lines_stay_in_its_column(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["a", "b"], [["1", "first\nsecond"], ["2", "third"]])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    start = next(line for line in lines if line).index("b")
    assert [line[start:] for line in lines if "s" in line] == ["first", "second"]


def test_columns_of_numbers_are_aligned_on_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "value"], [["a", "1.5"], ["b", ""]])
    assert "  1.5" in capsys.readouterr().out
