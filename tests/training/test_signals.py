"""A first signal lets a training save; it is never lost, and its echo does not stop the save."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from mtkd.training import signals
from mtkd.training.signals import StopRequests

SIGINT, SIGTERM = signal.SIGINT, signal.SIGTERM


@pytest.fixture(autouse=True)
def _as_on_a_terminal() -> Iterator[None]:
    """A job started in the background ignores SIGINT; mtkd's commands take SIGTERM as Ctrl-C."""
    before = {s: signal.signal(s, signal.default_int_handler) for s in (SIGINT, SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time, which stands still unless `now` is set."""
    found = SimpleNamespace(now=100.0)
    monkeypatch.setattr(signals, "time", SimpleNamespace(monotonic=lambda: found.now))
    return found


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def training(*acts: signal.Signals | float, clock: SimpleNamespace | None = None) -> None:
    """Be signalled, or let seconds pass, one after another; then end of itself."""
    with StopRequests() as stop:
        for act in acts:
            if isinstance(act, signal.Signals):
                send(act)
            elif clock is not None:
                clock.now += act
        assert stop.asked


def ended_at_its_end(caught: pytest.ExceptionInfo[KeyboardInterrupt]) -> bool:
    return "__exit__" in [entry.name for entry in caught.traceback]


@pytest.mark.parametrize(
    "numbers",
    [(SIGINT,), (SIGTERM,), (SIGTERM, SIGTERM), (SIGINT, SIGTERM), (SIGTERM, SIGINT),
     (SIGINT, SIGINT), (SIGINT, SIGTERM, SIGINT, SIGTERM)],
)  # fmt: skip
def test_a_signal_and_its_echo_let_the_step_end_and_are_not_lost(
    numbers: tuple[signal.Signals, ...],
) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        training(*numbers)
    assert ended_at_its_end(caught)


@pytest.mark.parametrize(("seconds", "at_once"), [(0.9, False), (1.0, True), (60.0, True)])
def test_a_second_ctrl_c_a_second_later_acts_as_always(
    clock: SimpleNamespace, seconds: float, at_once: bool
) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        training(SIGINT, seconds, SIGINT, clock=clock)
    assert ended_at_its_end(caught) is not at_once


def test_ctrl_c_stops_at_once_however_often_it_was_echoed(clock: SimpleNamespace) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        training(SIGINT, SIGINT, 5.0, SIGTERM, SIGINT, clock=clock)
    assert not ended_at_its_end(caught)


def test_sigterm_only_ever_asks(clock: SimpleNamespace) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        training(SIGTERM, 60.0, SIGTERM, 60.0, SIGTERM, clock=clock)
    assert ended_at_its_end(caught)


def failing() -> None:
    with StopRequests():
        send(SIGTERM)
        raise ZeroDivisionError


def test_a_training_that_fails_of_itself_fails_of_that() -> None:
    with pytest.raises(ZeroDivisionError):
        failing()


def test_handlers_are_as_before() -> None:
    before = signal.getsignal(SIGINT), signal.getsignal(SIGTERM)
    with StopRequests():
        assert signal.getsignal(SIGINT) != before[0]
    assert (signal.getsignal(SIGINT), signal.getsignal(SIGTERM)) == before
