"""Ctrl-C that other code loses, as Python does where it falls into a finaliser, is still obeyed."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtkd.errors import Interrupted
from mtkd.signals import stop_if_asked, stopped_by_signals
from mtkd.stages import prepare
from mtkd.training.signals import StopRequests
from tests.cli.process import code_of
from tests.unlucky import Unlucky

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def interrupted(number: signal.Signals, then: Callable[[], object]) -> list[str]:
    """Lose a signal, then go on; return how far that came."""
    reached = []

    @stopped_by_signals()
    def command() -> None:
        Unlucky(number)
        reached.append("lost")
        then()
        reached.append("on")

    with pytest.raises(Interrupted, match="stopped; what was finished is kept") as caught:
        command()
    assert isinstance(caught.value.__cause__, KeyboardInterrupt)
    return reached


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_lost_interrupt_is_come_upon(number: signal.Signals) -> None:
    assert interrupted(number, stop_if_asked) == ["lost"]


def test_no_training_begins_after_it() -> None:
    assert interrupted(signal.SIGINT, StopRequests().__enter__) == ["lost"]


def test_one_in_the_last_moment_too() -> None:
    assert interrupted(signal.SIGINT, lambda: None) == ["lost", "on"]


def test_the_next_command_is_not_stopped_by_it() -> None:
    interrupted(signal.SIGINT, stop_if_asked)
    with stopped_by_signals():
        stop_if_asked()


def test_no_artefact_is_made_after_it(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, made = prepare._build, []

    def unlucky(*arguments: Any) -> dict[str, Any]:
        notes = build(*arguments)
        made.append(arguments)
        Unlucky()
        return notes

    monkeypatch.setattr(prepare, "_build", unlucky)
    command = ("prepare", str(tiny_recipe), "--run-dir", str(tmp_path / "run"))
    assert code_of(monkeypatch, *command) == 130
    assert len(made) == 1
    assert len([*(tmp_path / "run" / "prepared").glob("*/*/manifest.json")]) == 1  # which is whole
    monkeypatch.setattr(prepare, "_build", build)
    assert code_of(monkeypatch, *command) == 0
