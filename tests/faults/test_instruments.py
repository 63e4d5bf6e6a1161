"""The campaign's own instruments: a comparison that sees, faults that land where they are put."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.compare import differences, leftovers
from tests.faults.injected import changed_path


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two run directories that are alike, but for what they cost."""
    for name, seconds in (("one", 1.5), ("other", 2.5)):
        folder = tmp_path / name / "student"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(bytes(64))
        content = {
            "fingerprint": "f",
            "seconds": seconds,
            "peak_memory_mb": int(seconds),
            "notes": {"memory": {"available_bytes": int(seconds), "batch_size": 8}},
        }
        (folder / "manifest.json").write_text(json.dumps(content))
    return tmp_path / "one", tmp_path / "other"


def test_what_an_artefact_cost_is_no_difference(two: tuple[Path, Path]) -> None:
    assert differences(*two) == []


def test_one_bit_is_a_difference(two: tuple[Path, Path]) -> None:
    path = two[1] / "student" / "model.safetensors"
    path.write_bytes(bytes(40) + b"\x01" + bytes(23))
    assert differences(*two) == ["student/model.safetensors: differs from byte 40 of 64"]


def test_another_fingerprint_is_a_difference(two: tuple[Path, Path]) -> None:
    path = two[1] / "student" / "manifest.json"
    path.write_text(path.read_text().replace('"f"', '"g"'))
    assert len(differences(*two)) == 1


def test_what_is_missing_or_left_over_is_a_difference(two: tuple[Path, Path]) -> None:
    (two[0] / "gone").touch()
    (two[1] / ".partial").mkdir()
    assert differences(*two) == ["gone: missing", ".partial: left over"]
    assert leftovers(two[1]) == [".partial"]


CHANGES = {
    "open('a', 'w')": "open a",
    "open('there', 'r+')": "open there",
    "os.open('a', os.O_CREAT | os.O_WRONLY)": "open a",
    "Path('a').write_bytes(b'')": "open a",
    "os.mkdir('a')": "os.mkdir a",
    "os.replace('there', 'a')": "os.rename a",
    "os.link('there', 'a')": "os.link a",
    "Path('there').unlink()": "os.remove there",
    "shutil.rmtree('folder')": "os.remove folder/file",
    "open('there')": None,
    "os.listdir('.')": None,
}


@pytest.mark.parametrize("statement", CHANGES)
def test_an_operation_that_changes_files_fails_and_changes_none(
    statement: str, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "there").write_text("content")
    (root / "folder" / "file").touch()
    code = f"""
import os, shutil
from pathlib import Path
from tests.faults.injected import Fault, install
install(Fault({str(root)!r}, {str(tmp_path / "record")!r}, "EIO"))
os.chdir({str(root)!r})
{statement}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          cwd=Path(__file__).parents[2], env=os.environ)  # fmt: skip
    hit = (tmp_path / "record").read_text().splitlines()
    wanted = CHANGES[statement]
    assert hit == ([] if wanted is None else [wanted])
    assert ("Input/output error" in done.stderr) == (wanted is not None)
    assert (root / "there").read_text() == "content"
    assert (root / "folder" / "file").exists()
    assert not (root / "a").exists()


def test_a_descriptor_is_no_path() -> None:
    assert changed_path("open", (3, "w", os.O_WRONLY)) is None
