"""A first signal lets a training save; it is never lost."""

from __future__ import annotations

import os
import signal

import pytest

from mtkd.training.signals import StopRequests


def signalled(number: signal.Signals, times: int = 1) -> StopRequests:
    """Return the requests of a training that was signalled, and ended of itself."""
    with StopRequests() as stop:
        for _ in range(times):
            os.kill(os.getpid(), number)
        assert stop.asked
    return stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_step_end_and_is_not_lost(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        signalled(number)
    assert "__exit__" in [entry.name for entry in caught.traceback]


def test_a_second_signal_acts_as_always() -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        signalled(signal.SIGINT, times=2)
    assert "__exit__" not in [entry.name for entry in caught.traceback]


def failing() -> None:
    with StopRequests():
        os.kill(os.getpid(), signal.SIGTERM)
        raise ZeroDivisionError


def test_a_training_that_fails_of_itself_fails_of_that() -> None:
    with pytest.raises(ZeroDivisionError):
        failing()


def test_handlers_are_as_before() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with StopRequests():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
