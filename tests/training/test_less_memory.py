"""A run that goes on where there is less memory can follow the advice that it is given."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from mtkd.errors import Interrupted, RecipeError
from mtkd.training.progress import Progress
from tests.training.small import Small, after_step, same, terminate, weights

LONG = {"batch_size": 8, "keep": "last"}


@pytest.fixture
def begun(small: Small, tmp_path: Path) -> Path:
    """A run that was stopped after 2 updates of 8 rows at once."""
    with after_step(2, terminate), pytest.raises(Interrupted):
        small.fit(tmp_path / "run", **LONG)
    return tmp_path / "run"


@pytest.fixture
def less(small: Small, begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on there is memory for 4 rows at once and not for 8."""
    _, progress = small.fit(tmp_path / "half", **{**LONG, "accumulation": 2, "epochs": 1})
    assert progress.memory is not None
    room = progress.memory["needed_bytes"]
    monkeypatch.setattr("mtkd.training.memory.plan.available_memory", lambda *_: room)


def goes_on(small: Small, folder: Path, **settings: object) -> Progress:
    return small.fit(folder, **{**LONG, **settings})[1]


@pytest.mark.usefixtures("less")
def test_it_is_refused_as_it_began_and_goes_on_as_advised(
    small: Small, begun: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RecipeError) as caught:
        goes_on(small, begun)
    advised = re.search(r"training\.accumulation=(\d+)", str(caught.value))
    assert advised is not None
    progress = goes_on(small, begun, accumulation=int(advised[1]))
    assert progress.memory is not None
    assert progress.memory["accumulation"] == int(advised[1]) == 2
    (said,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "training.accumulation=2, after 1 until step 2: dropout draws otherwise" in said


@pytest.mark.usefixtures("less")
def test_auto_chooses_as_the_refusal_says(
    small: Small, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecipeError, match="batch_size=auto chooses by itself"):
        goes_on(small, begun)
    # where the recipe's batch is what auto stands for, the same updates are run
    monkeypatch.setattr("mtkd.recipe.training.PAPER_BATCH", 8)
    progress = goes_on(small, begun, batch_size="auto")
    assert progress.memory is not None
    assert progress.memory["accumulation"] == 2


def test_checkpointing_asked_for_later_changes_no_weight(
    small: Small, begun: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model, progress = small.fit(begun, **LONG, gradient_checkpointing=True)
    assert progress.memory is not None
    assert progress.memory["gradient_checkpointing"]
    assert same(weights(model), weights(small.fit(tmp_path / "whole", **LONG)[0]))
    assert [r for r in caplog.records if r.levelno == logging.WARNING] == []


def test_what_auto_chose_stays_though_accumulation_is_left_out(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, half = small.fit(tmp_path / "half", batch_size=32, accumulation=4, epochs=1)
    assert half.memory is not None
    with monkeypatch.context() as patch:
        patch.setattr(
            "mtkd.training.memory.plan.available_memory", lambda *_: half.memory["needed_bytes"]
        )
        with after_step(1, terminate), pytest.raises(Interrupted):
            small.fit(tmp_path / "run", batch_size="auto")
    _, progress = small.fit(tmp_path / "run", batch_size="auto")
    assert progress.memory is not None
    assert progress.memory["accumulation"] == 4
