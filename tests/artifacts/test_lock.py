"""A directory has one writer, and a dead one keeps nobody out."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mtkd.artifacts import LOCK, held
from mtkd.errors import RunDirError

_HOLDER = """
import pathlib, sys, time
from mtkd.artifacts import held
with held(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _HOLDER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_process_is_told_who_holds_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with another_process(folder) as holder:
        who = f"process {holder.pid} on {re.escape(socket.gethostname())} since 20"
        with (
            pytest.raises(RunDirError, match=f"{folder}: in use by {who}.*--run-dir"),
            held(folder),
        ):
            pass
        assert json.loads((folder / LOCK).read_text())["pid"] == holder.pid


def test_a_lock_left_by_a_killed_process_is_taken_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with another_process(tmp_path) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert (tmp_path / LOCK).is_file()  # left behind
    with caplog.at_level("INFO"), held(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    assert f"was held by process {holder.pid} on" in caplog.text
    assert not (tmp_path / LOCK).exists()


def test_it_is_let_go_also_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), held(tmp_path):
        raise ZeroDivisionError
    with held(tmp_path):
        pass


def test_of_many_that_come_and_go_never_two_hold_it(tmp_path: Path) -> None:
    """The lock file is removed at the end: who has opened it by then must not hold a name less."""
    script = """
import pathlib, sys, time
from mtkd.artifacts import held
from mtkd.errors import RunDirError
folder, inside = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
entered = 0
while entered < 40:
    try:
        with held(folder):
            inside.mkdir()  # fails where another is inside
            inside.rmdir()
            entered += 1
    except RunDirError:
        time.sleep(0.001)
print(entered)
"""
    arguments = [str(tmp_path), str(tmp_path / "inside")]
    command = [sys.executable, "-c", script, *arguments]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert outputs == ["40\n"] * 3


def test_a_directory_of_which_nothing_came_is_gone(tmp_path: Path) -> None:
    with held(tmp_path / "runs" / "new"):
        assert (tmp_path / "runs" / "new").is_dir()
    assert not (tmp_path / "runs").exists()
    (tmp_path / "mine").mkdir()
    with held(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine").is_dir()


def test_a_file_system_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import errno

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with held(tmp_path):
        time.sleep(0)
    assert "this file system has no locks" in caplog.text


def test_a_link_in_place_of_the_lock_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).symlink_to(tmp_path / "precious")
    with pytest.raises(RunDirError, match="is a link"), held(tmp_path / "run"):
        pass
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_lock_file_removed_while_it_was_opened_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last holder removes it; who has opened it by then would hold a file without a name."""
    import fcntl

    real, calls = fcntl.flock, []

    def flock(descriptor: int, operation: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            (tmp_path / LOCK).unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with held(tmp_path):
        assert len(calls) == 2
        with pytest.raises(RunDirError, match="in use by process"), held(tmp_path):
            pass
