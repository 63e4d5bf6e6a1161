"""Two processes do what one does: same batches, same gradients, same stop, same best weights."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.small import Small, weights
from tests.training.two_processes import go

pytestmark = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="needs torch.distributed with gloo",
)


@pytest.fixture(scope="module")
def launched(small: Small, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder that two processes wrote, and what each printed."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "tests.training.two_processes", small.encoder, str(folder)]
    common = {
        **os.environ, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    processes = [
        subprocess.Popen(
            command,
            env={**common, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in ("0", "1")
    ]
    try:
        printed = [process.communicate(timeout=120)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, text in zip(processes, printed, strict=True):
        assert process.returncode == 0, text
    return folder, printed


@pytest.fixture(scope="module")
def alone(small: Small, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, list]:
    """Weights and history of one process."""
    model, progress = go(small, tmp_path_factory.mktemp("alone"))
    return weights(model), progress.history


def expect_close(found: dict, expected: dict) -> None:
    for name, weight in expected.items():
        # its true gradient is zero, and Adamax makes steps of what rounding leaves
        if not name.endswith("key.bias"):
            torch.testing.assert_close(found[name], weight, rtol=0, atol=1e-5)


def log_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]


def test_weights_are_those_of_one_process(launched: tuple, alone: tuple) -> None:
    expect_close(load_file(launched[0] / "straight.safetensors"), alone[0])


def test_scores_are_those_of_all_rows(launched: tuple, alone: tuple) -> None:
    history = json.loads((launched[0] / "history.json").read_text("utf-8"))
    means = [entry["mean"] for entry in history]
    assert means == pytest.approx([entry["mean"] for entry in alone[1]], abs=1e-4)


def test_a_signal_to_one_process_stops_all_and_the_run_goes_on(
    launched: tuple, alone: tuple
) -> None:
    folder, printed = launched
    assert [text.count("student: saved at step 6 of 20") for text in printed] == [1, 1]
    expect_close(load_file(folder / "resumed.safetensors"), alone[0])


def test_one_process_writes_the_log(launched: tuple) -> None:
    for run in ("straight", "resumed"):
        lines = log_of(launched[0] / run)
        assert [line["step"] for line in lines if "task" in line] == list(range(1, 21))
        assert sum("dev" in line for line in lines) == 2


def test_the_logged_loss_is_that_of_the_whole_batch(
    launched: tuple, small: Small, tmp_path: Path
) -> None:
    go(small, tmp_path)
    for two, one in zip(log_of(launched[0] / "straight"), log_of(tmp_path), strict=True):
        assert two.keys() == one.keys()
        if "task" in one:
            assert two["loss"] == pytest.approx(one["loss"], abs=1e-4)
            assert two["gradient_norm"] == pytest.approx(one["gradient_norm"], rel=1e-3)
