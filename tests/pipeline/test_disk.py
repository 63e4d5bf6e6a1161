"""Errors of the disk say which file, how much room there is, and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mtkd.errors import RunDirError, RunFailed
from mtkd.pipeline.disk import disk_errors_explained


def test_a_full_disk_is_said_with_file_and_room(tmp_path: Path) -> None:
    (tmp_path / "older").write_text("x")
    (tmp_path / "model.safetensors").write_text("half")
    os.utime(tmp_path / "older", (1, 1))
    with (
        pytest.raises(RunFailed) as caught,
        disk_errors_explained(tmp_path, needed=270_000_000),
        Path("/dev/full").open("wb") as full,  # of Linux: every write fails as on a full disk
    ):
        full.write(b"x" * 100_000)
    expected = f"{tmp_path}/model.safetensors: the disk is full: "
    assert str(caught.value).startswith(expected)
    assert "MB are free, and what is written takes about 270.0 MB; make room" in str(caught.value)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("text", ["Io(Os { code: 28 }) (os error {})", "[Errno {}] write failed"])
def test_errors_of_libraries_in_rust_and_c_are_understood(
    tmp_path: Path, number: int, text: str
) -> None:
    with pytest.raises(RunFailed, match="the disk is full"), disk_errors_explained(tmp_path):
        raise RuntimeError(text.replace("{}", str(number)))


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_place_that_cannot_be_written_is_the_users_to_change(tmp_path: Path, number: int) -> None:
    with (
        pytest.raises(RunDirError, match=r"config.json: cannot be written .*another place"),
        disk_errors_explained(tmp_path),
    ):
        raise OSError(number, os.strerror(number), "config.json")


def test_a_failing_disk_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="the disk or its connection failed"):  # noqa: SIM117
        with disk_errors_explained(tmp_path / "not" / "there"):
            raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.ENOENT, "no", "y"), KeyError(28)])
def test_other_errors_pass_as_they_are(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, disk_errors_explained(tmp_path):
        raise error
    assert caught.value is error
