"""Two processes do what one does: same batches, same losses, same stop, same best weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.small import Small, weights
from tests.training.two_processes import expect_close, expect_trajectory, go, launch, log_of

pytestmark = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="needs torch.distributed with gloo",
)


@pytest.fixture(scope="module")
def launched(small: Small, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder that two processes wrote, and what each printed."""
    folder = tmp_path_factory.mktemp("two")
    return folder, launch(small.encoder, folder)


@pytest.fixture(scope="module")
def alone(
    small: Small, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, torch.Tensor], list]:
    """Folder, weights and history of one process."""
    folder = tmp_path_factory.mktemp("alone")
    model, progress = go(small, folder)
    return folder, weights(model), progress.history


@pytest.mark.parametrize("run", ["straight", "resumed"])
def test_every_step_has_the_loss_of_one_process(launched: tuple, alone: tuple, run: str) -> None:
    expect_trajectory(launched[0] / run, alone[0])


@pytest.mark.parametrize("rank", [0, 1])
def test_weights_are_those_of_one_process(launched: tuple, alone: tuple, rank: int) -> None:
    expect_close(load_file(launched[0] / f"straight-{rank}.safetensors"), alone[1])


def test_scores_are_those_of_all_rows(launched: tuple, alone: tuple) -> None:
    history = json.loads((launched[0] / "history.json").read_text("utf-8"))
    means = [entry["mean"] for entry in history]
    assert means == pytest.approx([entry["mean"] for entry in alone[2]], abs=1e-5)


def test_a_signal_to_one_process_stops_all_and_the_run_goes_on(
    launched: tuple, alone: tuple
) -> None:
    folder, printed = launched
    assert [text.count("student: saved at step 6 of 20") for text in printed] == [1, 1]
    expect_close(load_file(folder / "resumed-0.safetensors"), alone[1])


def test_both_save_after_the_same_updates(launched: tuple) -> None:
    """Where one saved and the other went on, each would wait for the other's part."""
    state = json.loads((launched[0] / "straight/checkpoint/state.json").read_text("utf-8"))
    assert state["step"] == 20
    assert sum(state["updates"].values()) == 20


def test_one_process_writes_the_log(launched: tuple) -> None:
    for run in ("straight", "resumed"):
        lines = log_of(launched[0] / run)
        assert [line["step"] for line in lines if "task" in line] == list(range(1, 21))
        assert sum("dev" in line for line in lines) == 2
