"""An artefact's files are used as they were written, or not at all."""

import dataclasses
from pathlib import Path

import pytest

from mtkd.artifacts import Manifest, check_files, damage, record_files, remembered_sha256
from mtkd.errors import RunDirError

CONTENT = {"config.json": b"{}", "best/rte/model.safetensors": bytes(range(256)), "empty": b""}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, content in CONTENT.items():
        path = tmp_path / "student" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "student"


def manifest(place: Path) -> Manifest:
    made = Manifest("distill", {"seed": 1}, 1.0, 1, {}, record_files(place, place))
    made.write(place)
    return made


def test_every_file_is_recorded_but_the_manifest(place: Path) -> None:
    manifest(place)
    found = record_files(place, place)
    assert {name: entry["bytes"] for name, entry in found.items()} == {
        name: len(content) for name, content in CONTENT.items()
    }


def test_a_manifest_that_a_killed_process_was_writing_is_not_recorded(place: Path) -> None:
    (place / ".manifest.json.partial").write_bytes(b"{")
    assert set(record_files(place, place)) == set(CONTENT)


def test_scratch_is_not_recorded(place: Path) -> None:
    (place / "checkpoint" / "inner").mkdir(parents=True)
    (place / "checkpoint" / "inner" / "state.json").write_bytes(b"{}")
    assert set(record_files(place, place, scratch=("checkpoint",))) == set(CONTENT)


def test_what_was_written_is_found_whole(place: Path) -> None:
    check_files(place, manifest(place))


def test_a_file_beside_the_recorded_ones_is_the_users_affair(place: Path) -> None:
    made = manifest(place)
    (place / "notes.txt").write_text("mine")
    check_files(place, made)


@pytest.mark.parametrize("position", range(0, 256, 51))
@pytest.mark.parametrize("bit", [0, 7])
def test_one_flipped_bit_is_found_with_its_file(place: Path, position: int, bit: int) -> None:
    made = manifest(place)
    file = place / "best/rte/model.safetensors"
    content = bytearray(file.read_bytes())
    content[position] ^= 1 << bit
    file.write_bytes(content)
    with pytest.raises(RunDirError, match=f"{file}: damaged: its SHA-256 .*; delete {place} "):
        check_files(place, made)


@pytest.mark.parametrize("size", [0, 255, 257])
def test_another_size_is_found(place: Path, size: int) -> None:
    made = manifest(place)
    file = place / "best/rte/model.safetensors"
    file.write_bytes((file.read_bytes() + b"x")[:size])
    with pytest.raises(RunDirError, match=f"{file}: damaged: {size} bytes, 256 were written"):
        check_files(place, made)


def test_a_missing_file_is_found(place: Path) -> None:
    made = manifest(place)
    (place / "config.json").unlink()
    with pytest.raises(RunDirError, match=r"config\.json: is gone"):
        check_files(place, made)


def test_an_artefact_that_is_one_file_is_checked_beside_its_manifest(tmp_path: Path) -> None:
    place = tmp_path / "submission.zip"
    staged = tmp_path / ".partial" / "submission.zip"
    staged.parent.mkdir()
    staged.write_bytes(b"zip")
    made = dataclasses.replace(
        Manifest("submit", {}, 1.0, 1, {}, {}), files=record_files(staged, place)
    )
    staged.rename(place)
    check_files(place, made)
    place.write_bytes(b"zap")
    assert f"{place}: damaged" in damage(place, made, remembered_sha256)
