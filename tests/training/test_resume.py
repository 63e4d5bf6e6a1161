"""A run that was cut short and goes on ends with the bytes of one that was not."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from torch import Tensor

from mtkd.errors import Interrupted
from mtkd.model import MultiTaskModel
from mtkd.training import Evaluation
from mtkd.training.signals import StopRequests
from tests.training.small import (
    EPOCHS,
    STEPS_PER_EPOCH,
    Killed,
    Small,
    after_step,
    interrupt,
    killed,
    same,
    scripted,
    terminate,
    weights,
)

STEPS = EPOCHS * STEPS_PER_EPOCH


@pytest.fixture(scope="module")
def whole(small: Small, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, list, bytes]:
    """Weights, history and log of a run in one go, with dropout and keep=best."""
    folder = tmp_path_factory.mktemp("whole")
    model, progress = small.fit(folder, keep="best")
    return weights(model), progress.history, (folder / "log.jsonl").read_bytes()


def stop(small: Small, folder: Path, step: int, how: Callable[[], None], every: int) -> None:
    """Start or go on, and be stopped after `step` more updates."""
    expected = Killed if how is killed else Interrupted
    with after_step(step, how), pytest.raises(expected):
        small.fit(folder, keep="best", save_every=f"{every} steps", log_every=100)


def saved_step(folder: Path) -> int:
    return json.loads((folder / "checkpoint" / "state.json").read_text("utf-8"))["step"]


def finish(small: Small, folder: Path) -> tuple[dict[str, Tensor], list, bytes]:
    model, progress = small.fit(folder, keep="best")
    assert progress.step == STEPS
    return weights(model), progress.history, (folder / "log.jsonl").read_bytes()


def expect_same(found: tuple, expected: tuple) -> None:
    assert same(found[0], expected[0])
    assert found[1:] == expected[1:]


@pytest.mark.parametrize("step", [1, 3, STEPS_PER_EPOCH, STEPS_PER_EPOCH + 1, STEPS - 1, STEPS])
@pytest.mark.parametrize("how", [interrupt, terminate, killed])
def test_a_resumed_run_ends_with_the_same_bytes(
    small: Small, tmp_path: Path, whole: tuple, step: int, how: Callable[[], None]
) -> None:
    stop(small, tmp_path, step, how, every=3 if how is killed else 100)
    expect_same(finish(small, tmp_path), whole)


@pytest.mark.parametrize("how", [interrupt, killed])
def test_a_run_stopped_twice_in_an_epoch_ends_with_the_same_bytes(
    small: Small, tmp_path: Path, whole: tuple, how: Callable[[], None]
) -> None:
    stop(small, tmp_path, STEPS_PER_EPOCH + 3, how, every=1)
    stop(small, tmp_path, 2, how, every=1)
    expect_same(finish(small, tmp_path), whole)


def test_a_run_stopped_in_an_evaluation_evaluates_once(
    small: Small, tmp_path: Path, whole: tuple
) -> None:
    def stopped(model: MultiTaskModel) -> Evaluation:
        raise Killed

    with pytest.raises(Killed):
        small.fit(tmp_path, keep="best", save_every="1 step", evaluate=stopped)
    assert saved_step(tmp_path) == STEPS_PER_EPOCH
    expect_same(finish(small, tmp_path), whole)


def test_a_run_killed_between_an_evaluations_line_and_its_save_logs_it_once(
    small: Small, tmp_path: Path, whole: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("mtkd.training.loop.StopRequests", killed_after(STEPS_PER_EPOCH))
        with pytest.raises(Killed):
            small.fit(tmp_path, keep="best", save_every="1 step")
    assert saved_step(tmp_path) == STEPS_PER_EPOCH
    assert (tmp_path / "log.jsonl").read_text("utf-8").count('"dev"') == 1
    expect_same(finish(small, tmp_path), whole)


def killed_after(calls: int) -> type[StopRequests]:
    """Stands in for the question whether a signal came, asked after steps and evaluations."""
    left = iter(range(calls))

    class Killing(StopRequests):
        @property
        def asked(self) -> bool:
            if next(left, None) is None:
                raise Killed
            return False

        @asked.setter
        def asked(self, value: bool) -> None:
            assert value is False

    return Killing


def test_a_signal_saves_the_step_it_fell_into_and_stops(small: Small, tmp_path: Path) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with after_step(5, terminate), pytest.raises(Interrupted, match=f"saved at step 5 of {STEPS}"):
        small.fit(tmp_path, log_every=100)
    assert saved_step(tmp_path) == 5
    lines = (tmp_path / "log.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5]
    assert signal.getsignal(signal.SIGTERM) is handler


@pytest.fixture
def _sigint_as_on_a_terminal() -> Iterator[None]:
    """A job started in the background ignores SIGINT, and its children do."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_sigint_as_on_a_terminal")
def test_a_second_ctrl_c_does_not_wait(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtkd.training.signals._IMPATIENCE", 0.0)

    def twice() -> None:
        interrupt()
        interrupt()

    with after_step(5, twice), pytest.raises(KeyboardInterrupt):
        small.fit(tmp_path)
    assert not (tmp_path / "checkpoint").exists()


@pytest.mark.usefixtures("_sigint_as_on_a_terminal")
@pytest.mark.parametrize("signals", [(terminate,) * 2, (interrupt, terminate), (interrupt,) * 2])
def test_a_signal_that_is_passed_on_as_well_does_not_lose_the_save(
    small: Small, tmp_path: Path, signals: tuple[Callable[[], None], ...]
) -> None:
    with (
        after_step(5, lambda: [act() for act in signals]),
        pytest.raises(Interrupted, match=f"saved at step 5 of {STEPS}"),
    ):
        small.fit(tmp_path)
    assert saved_step(tmp_path) == 5


def test_a_finished_run_takes_no_more_steps(small: Small, tmp_path: Path, whole: tuple) -> None:
    small.fit(tmp_path, keep="best", save_every="1 step")
    with after_step(1, killed):
        expect_same(finish(small, tmp_path), whole)


def test_a_finished_run_without_a_save_is_done_anew_with_the_same_bytes(
    small: Small, tmp_path: Path, whole: tuple
) -> None:
    for _ in range(2):
        expect_same(finish(small, tmp_path), whole)
        assert not (tmp_path / "checkpoint").exists()


def test_a_run_stopped_in_its_last_allowed_epoch_does_not_train_on(
    small: Small, tmp_path: Path
) -> None:
    falling = scripted(0.9, 0.8, 0.99)
    with after_step(2 * STEPS_PER_EPOCH, terminate), pytest.raises(Interrupted):
        small.fit(tmp_path, early_stopping=1, evaluate=falling)
    _, progress = small.fit(tmp_path, early_stopping=1, evaluate=falling)
    assert [entry["mean"] for entry in progress.history] == [0.9, 0.8]


def test_kept_weights_are_those_of_the_score_even_if_numbers_do_not_repeat(
    small: Small, tmp_path: Path
) -> None:
    """On a GPU an epoch done anew may score lower than the first time, and not replace them."""
    kept: list[dict[str, Tensor]] = []

    def evaluation(*means: float) -> Callable[[MultiTaskModel], Evaluation]:
        scores = scripted(*means)

        def evaluate(model: MultiTaskModel) -> Evaluation:
            kept.append(weights(model))
            return scores(model)

        return evaluate

    options = {"keep": "best", "save_every": f"{STEPS_PER_EPOCH - 1} steps"}
    with after_step(2 * STEPS_PER_EPOCH + 1, killed), pytest.raises(Killed):
        small.fit(tmp_path, evaluate=evaluation(0.5, 0.9), **options)
    model, progress = small.fit(tmp_path, evaluate=evaluation(0.4, 0.3), **options)
    assert progress.history[1]["mean"] == max(progress.best.values()) == 0.9
    assert same(weights(model), kept[1])


def test_how_often_a_run_logs_and_saves_changes_nothing(
    small: Small, tmp_path: Path, whole: tuple
) -> None:
    model, progress = small.fit(tmp_path, keep="best", log_every=1, save_every="0 minutes")
    log = (tmp_path / "log.jsonl").read_bytes()
    expect_same((weights(model), progress.history, log), whole)


def test_another_dropout_seed_would_be_seen(small: Small, tmp_path: Path, whole: tuple) -> None:
    """The tests above could not fail if dropout were off."""
    model, _ = small.fit(tmp_path, keep="best", dropout=0.0)
    assert not same(weights(model), whole[0])
