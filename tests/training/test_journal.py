"""log.jsonl is part of what training makes: it goes on from the very bytes that the state knows."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mtkd.checkpoint import save_checkpoint
from mtkd.errors import Interrupted, RunDirError
from mtkd.training import state as state_module
from tests.training.small import STEPS_PER_EPOCH, Small, after_step, interrupt

STOPPED_AT = STEPS_PER_EPOCH + 2  # an evaluation's line among them


@pytest.fixture
def log(small: Small, tmp_path: Path) -> Path:
    """The log of a run that was stopped in its second epoch."""
    with after_step(STOPPED_AT, interrupt), pytest.raises(Interrupted):
        small.fit(tmp_path)
    return tmp_path / "log.jsonl"


def emptied(content: bytes) -> bytes:
    return b""


def without_last_line(content: bytes) -> bytes:
    return content[: content.rindex(b"\n", 0, -1) + 1]


def without_a_line_between(content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join(lines[:3] + lines[4:]) + lines[-1]


def without_evaluation(content: bytes) -> bytes:
    return b"".join(line for line in content.splitlines(keepends=True) if b'"dev"' not in line)


def not_utf8(content: bytes) -> bytes:
    return content[:5] + bytes([content[5] ^ 0x80]) + content[6:]


def another_loss(content: bytes) -> bytes:
    place = content.index(b'"loss": ') + len(b'"loss": ')
    return content[:place] + b"7" + content[place + 1 :]


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (emptied, r"has 0 of its \d+ bytes"),
        (without_last_line, r"has \d+ of its \d+ bytes"),
        (without_evaluation, r"has \d+ of its \d+ bytes"),
        (without_a_line_between, "its checksum differs"),
        (not_utf8, "its checksum differs"),
        (another_loss, "its checksum differs"),
    ],
)
def test_a_run_does_not_go_on_with_another_log(
    small: Small, log: Path, harm: Callable[[bytes], bytes], found: str
) -> None:
    log.write_bytes(harmed := harm(log.read_bytes()))
    where = rf"{log}: not as it was when step {STOPPED_AT} was saved"
    with pytest.raises(
        RunDirError, match=rf"{where} \({found}\); delete {log.parent} to begin it anew"
    ):
        small.fit(log.parent)
    assert log.read_bytes() == harmed


def test_a_log_that_is_gone_is_missed(small: Small, log: Path) -> None:
    log.unlink()
    with pytest.raises(RunDirError, match=r"log\.jsonl: not as it was .*has 0 of its"):
        small.fit(log.parent)


@pytest.mark.parametrize("more", [b'{"step": 10, "epo', b"\0" * 4096, b'{"step": 3}\n', b"\xff\n"])
def test_what_came_after_the_save_is_dropped_whatever_it_is(
    small: Small, log: Path, tmp_path: Path, more: bytes
) -> None:
    with log.open("ab") as file:
        file.write(more)
    small.fit(log.parent)
    small.fit(tmp_path / "whole")
    assert log.read_bytes() == (tmp_path / "whole/log.jsonl").read_bytes()


def test_a_run_that_never_saved_begins_its_log_anew(small: Small, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(b"\xff of an attempt before\n")
    small.fit(tmp_path)
    assert b"attempt" not in (tmp_path / "log.jsonl").read_bytes()


def test_the_lines_are_on_the_disk_before_the_state_is(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, on_disk, saves = tmp_path / "log.jsonl", b"", 0
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        nonlocal on_disk
        fsync(descriptor)
        if log.exists() and os.path.samestat(os.fstat(descriptor), log.stat()):
            on_disk = log.read_bytes()

    def saving(folder: Path, tensors: Any, state: Mapping[str, Any]) -> None:
        nonlocal saves
        saves += 1
        assert on_disk == log.read_bytes()
        assert on_disk.count(b'"loss"') == state["step"]
        assert on_disk.count(b'"dev"') == state["epoch"]
        save_checkpoint(folder, tensors, state)

    monkeypatch.setattr(os, "fsync", noting)
    monkeypatch.setattr(state_module, "save_checkpoint", saving)
    small.fit(tmp_path, save_every="2 steps", log_every=3)
    assert saves > STEPS_PER_EPOCH


def test_a_state_of_another_version_is_refused(small: Small, log: Path) -> None:
    folder = log.parent / "checkpoint"
    tensors, state = state_module.load_checkpoint(folder) or ({}, {})
    del state["log"]
    save_checkpoint(folder, tensors, state)
    with pytest.raises(RunDirError, match="checkpoint: was saved by another version of mtkd"):
        small.fit(log.parent)
