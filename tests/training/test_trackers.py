"""What experiment trackers are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtkd.devices import start_accelerator
from mtkd.errors import RecipeError
from tests.training.small import EPOCHS, STEPS_PER_EPOCH, Small


def test_tensorboard_gets_each_tasks_loss_and_scores(small: Small, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    small.fit(tmp_path, trackers=("tensorboard",))
    events = EventAccumulator(str(tmp_path / "student"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    assert {"loss/rte", "loss/stsb", "lr", "gradient_norm", "dev/rte/dev/m"} <= tags
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    expected = {line["step"]: line["loss"] for line in lines if line.get("task") == "rte"}
    found = {event.step: event.value for event in events.Scalars("loss/rte")}
    assert found == pytest.approx(expected)
    assert len(events.Scalars("lr")) == EPOCHS * STEPS_PER_EPOCH
    assert len(events.Scalars("dev/rte/dev/m")) == EPOCHS


def test_a_tracker_that_is_not_installed_is_refused_and_not_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("accelerate.tracking.get_available_trackers", list)
    with pytest.raises(RecipeError, match=r"training\.trackers: wandb .* pip install wandb"):
        start_accelerator("fp32", ["wandb"], tmp_path)


def test_each_run_of_a_process_has_its_own_number_format() -> None:
    assert start_accelerator("bf16").mixed_precision == "bf16"
    assert start_accelerator("fp32").mixed_precision == "no"
