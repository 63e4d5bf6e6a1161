"""A second of each reader, always the same inputs; `make fuzz` gives them ten minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import engine
from tests.fuzz.engine import Session, fuzz
from tests.fuzz.readers import READERS, Reader, Use

INPUTS = 150
CRASHES = sorted(path for path in (Path(__file__).parent / "crashes").glob("*/*"))


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_any_bytes_are_read_or_refused_with_the_files_name(reader: Reader, tmp_path: Path) -> None:
    result = fuzz(reader, tmp_path, seed=1, inputs=INPUTS)
    assert result.crashes == []
    assert result.tried == INPUTS
    assert result.accepted > 0


@pytest.mark.parametrize("path", CRASHES, ids=[f"{p.parent.name}-{p.name}" for p in CRASHES])
def test_what_was_once_a_crash_is_none_now(path: Path, tmp_path: Path) -> None:
    session = Session(READERS[path.parent.name], tmp_path)
    assert session.outcome(path.read_bytes())[1] == ""


def _broken(use: Use) -> Reader:
    return Reader("broken", "input", lambda folder: [b"seed"], lambda folder: use)


def _raises(error: BaseException) -> Use:
    def use(path: Path) -> None:
        if b"d" in path.read_bytes():
            raise error

    return use


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError(), MemoryError()])
def test_an_error_that_is_none_of_mtkds_is_a_crash_kept_as_short_as_can_be(
    error: Exception, tmp_path: Path
) -> None:
    result = fuzz(_broken(_raises(error)), tmp_path, seed=0, inputs=20)
    assert [crash.content for crash in result.crashes] == [b"d"]


def test_an_input_that_takes_too_long_is_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SLOW", 0.05)

    def use(path: Path) -> None:
        while True:
            pass

    (crash,) = fuzz(_broken(use), tmp_path, seed=0, inputs=2).crashes
    assert crash.kind.startswith("_TooSlowError")
