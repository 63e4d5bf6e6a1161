"""Remembered hashes save time where nothing changed, and are of no account where bytes are used."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from mtkd.artifacts import HASHES, check_remembered, hashes, remembered_sha256, remembering
from mtkd.artifacts.hashes import checked_sha256
from mtkd.errors import RunDirError


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    forget(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    os.utime(path, (1e9, 1e9))
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    found: list[Path] = []

    def spy(path: Path) -> str:
        found.append(path)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(hashes, "file_sha256", spy)
    return found


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "_known", {})
    monkeypatch.setattr(hashes, "_read_here", set())


def test_a_later_process_does_not_read_what_has_not_changed(
    file: Path, tmp_path: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with remembering(tmp_path):
        first = remembered_sha256(file)
    forget(monkeypatch)
    with remembering(tmp_path):
        assert remembered_sha256(file) == first == hashlib.sha256(b"content").hexdigest()
    assert reads == [file]


@pytest.mark.parametrize("change", ["size", "time", "inode"])
def test_a_file_that_changed_is_read_again(
    file: Path, tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with remembering(tmp_path):
        remembered_sha256(file)
    forget(monkeypatch)
    before = file.stat()
    if change == "inode":
        (tmp_path / "other").write_bytes(b"c0ntent")
        (tmp_path / "other").replace(file)
    else:
        file.write_bytes(b"c0ntent" + b"!" * (change == "size"))
    if change != "time":
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with remembering(tmp_path):
        assert remembered_sha256(file) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_who_uses_a_file_reads_its_bytes_once_a_process(
    file: Path, tmp_path: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with remembering(tmp_path):
        remembered_sha256(file)
    forget(monkeypatch)
    before = file.stat()
    file.write_bytes(b"c0ntent")  # as a disk does that loses a bit: nothing else shows it
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    reads.clear()
    with remembering(tmp_path):
        assert remembered_sha256(file) == hashlib.sha256(b"content").hexdigest()
        for _ in range(3):
            assert checked_sha256(file) == hashlib.sha256(b"c0ntent").hexdigest()
    assert reads == [file]


def test_a_file_written_just_now_is_not_remembered(tmp_path: Path) -> None:
    """It may change again within one tick of the file system's clock."""
    (tmp_path / "new").write_bytes(b"x")
    with remembering(tmp_path):
        remembered_sha256(tmp_path / "new")
    kept = tmp_path / HASHES
    assert not kept.exists() or str(tmp_path / "new") not in json.loads(kept.read_text())["files"]


@pytest.mark.parametrize("fault", ["flip", "cut", "nonsense"])
def test_a_broken_memory_is_none(
    file: Path, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with remembering(tmp_path):
        remembered_sha256(file)
    text = (tmp_path / HASHES).read_text()
    sha256 = hashlib.sha256(b"content").hexdigest()
    broken = {"flip": text.replace(sha256, "0" * 64), "cut": text[:-9], "nonsense": "[1, 2]"}
    (tmp_path / HASHES).write_text(broken[fault])
    forget(monkeypatch)
    with remembering(tmp_path):
        assert remembered_sha256(file) == sha256


def test_no_folder_is_made_to_remember_in(file: Path, tmp_path: Path) -> None:
    with remembering(tmp_path / "run"):
        remembered_sha256(file)
    assert not (tmp_path / "run").exists()


def test_files_that_are_gone_are_forgotten(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"more")
    os.utime(other, (1e9, 1e9))
    with remembering(tmp_path):
        remembered_sha256(file)
        remembered_sha256(other)
    forget(monkeypatch)
    other.unlink()
    with remembering(tmp_path):
        pass
    assert list(json.loads((tmp_path / HASHES).read_text("utf-8"))["files"]) == [str(file)]


def test_a_file_that_rotted_is_named_before_it_is_read(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with remembering(tmp_path):
        remembered_sha256(file)
    forget(monkeypatch)
    with remembering(tmp_path):
        check_remembered(file)
    forget(monkeypatch)
    with file.open("r+b") as opened:
        opened.write(b"Content")
    os.utime(file, (1e9, 1e9))
    with remembering(tmp_path), pytest.raises(RunDirError, match=f"{file}: its bytes have changed"):
        check_remembered(file)
