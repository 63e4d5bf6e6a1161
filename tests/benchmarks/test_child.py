"""Arms in processes of their own answer when asked, and say so when they cannot."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.child import children
from mtkd.errors import RunFailed

SOURCE = """
import sys
from benchmarks.child import serve

def prepare():
    print("what a library prints")
    count = iter(range(10))
    def measure():
        print("and again")
        if sys.argv[1] == "breaks":
            sys.exit(3)
        return {"arm": sys.argv[1], "asked": next(count)}
    return measure

serve(prepare)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "an_arm.py").write_text(SOURCE, "utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    return "an_arm"


def test_children_answer_each_time_and_what_libraries_print_is_no_answer(module: str) -> None:
    with children(module, {"one": ["one"], "two": ["two"]}) as arms:
        found = [arms[name]() for name in ("one", "two", "one")]
    assert found == [
        {"arm": "one", "asked": 0},
        {"arm": "two", "asked": 0},
        {"arm": "one", "asked": 1},
    ]


def test_a_child_that_ends_is_an_error_that_names_it(module: str) -> None:
    with (
        children(module, {"one": ["breaks"]}) as arms,
        pytest.raises(RunFailed, match="an_arm breaks: ended with code 3"),
    ):
        arms["one"]()


def test_the_command_imports_no_torch() -> None:
    """A child's peak memory would otherwise begin with its parent's, on some systems."""
    import subprocess

    code = "import benchmarks.run, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
