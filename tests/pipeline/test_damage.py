"""What a fault of the disk or a hand has changed is seen, named, and never used."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtkd.artifacts import HASHES, hashes, manifest_path, read_manifest
from mtkd.errors import RunDirError
from mtkd.pipeline import statuses
from mtkd.stages import STAGES, Run, Unit
from mtkd.stages.evaluate import read_metrics
from mtkd.stages.export import export_task
from mtkd.stages.places import prepared_place
from mtkd.stages.prepared import open_prepared
from tests.carry_out import carried_out


@pytest.fixture
def copied_run(finished_run: Run, tmp_path: Path) -> Run:
    folder = tmp_path / "tiny"
    shutil.copytree(finished_run.folder, folder)
    return Run(finished_run.recipe, finished_run.tasks, folder)


@pytest.fixture
def settled_run(copied_run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run whose hashes are known, and that a new process looks at."""
    for path in copied_run.folder.rglob("*"):
        if path.is_file():
            os.utime(path, (1e9, 1e9))
    statuses(copied_run)
    assert (copied_run.folder / HASHES).is_file()
    monkeypatch.setattr(hashes, "_known", {})
    monkeypatch.setattr(hashes, "_read_here", set())
    return copied_run


def flip_a_bit(path: Path) -> None:
    """Change one bit in the middle, and nothing that the file system tells of the file."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def used_files(run: Run) -> Iterator[tuple[Unit, Path]]:
    """Yield units with files that they are made from: one of each kind and stage."""
    seen = set()
    for units in STAGES.values():
        for unit in units(run):
            for need in unit.needs:
                manifest = read_manifest(run.folder / need)
                assert manifest is not None
                for name in manifest.files:
                    path = run.folder / need
                    path = path / name if path.is_dir() else path
                    if (kind := (unit.stage, need.split("/")[0], path.suffix)) not in seen:
                        seen.add(kind)
                        yield unit, path


def test_nothing_is_made_from_a_file_with_one_bit_flipped(
    settled_run: Run, tiny_recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [(unit, path) for unit, path in used_files(settled_run) if path.stat().st_size]
    assert {unit.stage for unit, _ in cases} == set(STAGES) - {"prepare"}
    assert {".safetensors", ".arrow", ".parquet", ".json", ".tsv"} <= {p.suffix for _, p in cases}
    for number, (unit, path) in enumerate(cases):
        whole = path.read_bytes()
        flip_a_bit(path)
        manifest = manifest_path(settled_run.folder / unit.place)
        kept = manifest.read_bytes()
        manifest.unlink()  # so that the unit is to be made again
        monkeypatch.setattr(hashes, "_known", {})
        monkeypatch.setattr(hashes, "_read_here", set())
        with pytest.raises(RunDirError, match=f"{path}: damaged: its SHA-256"):
            carried_out(tiny_recipe, settled_run.folder)
        manifest.write_bytes(kept)
        path.write_bytes(whole)
        os.utime(path, (1.1e9 + number,) * 2)  # so that it is read again


def test_status_names_the_damaged_file_and_what_to_do(copied_run: Run) -> None:
    path = copied_run.folder / "student" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    (status,) = [s for s in statuses(copied_run)["distill"] if s.unit.place == "student"]
    assert status.state == "damaged"
    assert status.why.startswith(f"{path}: damaged: ")
    assert f"delete {copied_run.folder / 'student'} to have it made again" in status.why


def test_a_damaged_artefact_that_was_deleted_comes_back_as_it_was(
    copied_run: Run, tiny_recipe: Path
) -> None:
    place = copied_run.folder / "predictions" / "student" / "rte"
    path = place / "test.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(RunDirError, match=f"delete {place} "):
        carried_out(tiny_recipe, copied_run.folder)
    shutil.rmtree(place)
    carried_out(tiny_recipe, copied_run.folder)
    assert path.read_bytes() == whole


def test_a_manifest_with_any_byte_changed_is_refused(copied_run: Run, tiny_recipe: Path) -> None:
    path = copied_run.folder / "soft_labels" / "rte" / "manifest.json"
    whole = path.read_bytes()
    for position in range(0, len(whole), 211):
        content = bytearray(whole)
        content[position] ^= 1
        path.write_bytes(content)
        found = {s.unit.place: s for parts in statuses(copied_run).values() for s in parts}
        as_before = _parsed(bytes(content)) == json.loads(whole)  # a blank between two values
        assert as_before or found["soft_labels/rte"].state == "damaged", position
    path.write_bytes(whole[:-30])
    with pytest.raises(RunDirError, match=f"{path}: not a manifest"):
        carried_out(tiny_recipe, copied_run.folder)


def _parsed(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return None


def test_what_is_stale_and_damaged_is_simply_made_anew(copied_run: Run, tiny_recipe: Path) -> None:
    path = copied_run.folder / "submission" / "RTE.tsv"
    whole = path.read_bytes()
    flip_a_bit(path)
    carried_out(tiny_recipe, copied_run.folder, "submission.fill_missing=majority")
    assert path.read_bytes() == whole


def test_damaged_weights_are_not_exported(copied_run: Run, tmp_path: Path) -> None:
    flip_a_bit(copied_run.folder / "student_finetuned" / "rte" / "model.safetensors")
    with pytest.raises(RunDirError, match=r"model\.safetensors: damaged"):
        export_task(copied_run, "rte", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_artefact_in_the_cache_is_made_anew(
    tiny_recipe: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from mtkd.pipeline import carry_out, open_run
    from mtkd.recipe import load_recipe

    overrides = ["tasks=[rte]", "teachers.tasks=[rte]", "teachers.select.by=[rte]"]
    loaded = load_recipe(str(tiny_recipe), overrides)
    first = open_run(loaded, tmp_path / "first")
    carry_out(first, loaded, "prepare", cache=tmp_path / "cache")
    shared = sorted((tmp_path / "cache").rglob("train.arrow"))
    for path in shared:
        whole = path.read_bytes()
        path.unlink()  # it is linked with the first run's, which stays whole
        path.write_bytes(whole)
        flip_a_bit(path)
    second = open_run(loaded, tmp_path / "second")
    carry_out(second, loaded, "prepare", cache=tmp_path / "cache")
    assert caplog.text.count("not taken from the cache, but made anew") == len(shared) > 0
    for path in first.folder.rglob("*.arrow"):
        assert (second.folder / path.relative_to(first.folder)).read_bytes() == path.read_bytes()
    third = open_run(loaded, tmp_path / "third")
    caplog.clear()
    carry_out(third, loaded, "prepare", cache=tmp_path / "cache")
    assert "made anew" not in caplog.text


def test_a_damaged_selection_chooses_nobody(settled_run: Run, tiny_recipe: Path) -> None:
    path = settled_run.folder / "selection.json"
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"uncased-0.1", b"uncased-0.3"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(RunDirError, match=f"{path}: damaged"):
        carried_out(tiny_recipe, settled_run.folder)


def test_damaged_scores_are_not_printed(settled_run: Run) -> None:
    flip_a_bit(settled_run.folder / "evaluation" / "metrics.json")
    with pytest.raises(RunDirError, match=r"metrics\.json: damaged"):
        read_metrics(settled_run.folder)


def test_damaged_rows_are_not_read(settled_run: Run) -> None:
    encoder, task = settled_run.recipe.student.encoder, "rte"
    flip_a_bit(settled_run.folder / prepared_place(encoder, task) / "info.json")
    with pytest.raises(RunDirError, match=r"info\.json: damaged"):
        open_prepared(settled_run, encoder, task)


def test_what_was_deleted_as_advised_comes_back_without_rerun(
    copied_run: Run, tiny_recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However dear what is made from it was: it will be as it was."""
    monkeypatch.setattr("mtkd.pipeline.make._DEAR", 0.0)
    place = prepared_place(copied_run.recipe.student.encoder, "rte")
    before = read_manifest(copied_run.folder / "student")
    shutil.rmtree(copied_run.folder / place)
    why = {s.unit.place: s.why for parts in statuses(copied_run).values() for s in parts}
    assert why["student"] == f"{place} is missing"
    carried_out(tiny_recipe, copied_run.folder)
    assert read_manifest(copied_run.folder / "student") == before
