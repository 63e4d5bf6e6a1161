import dataclasses
import json

import pytest
import torch

from mtkd.artifacts import Manifest, environment, manifest_path, peak_memory_mb, read_manifest
from mtkd.errors import RunDirError

MANIFEST = Manifest(
    stage="teach",
    inputs={"seed": 1, "training.epochs": 5, "encoder": "sha256:ab", "tasks": ["rte"]},
    seconds=12.5,
    peak_memory_mb=800,
    environment={"python": "3.11"},
    files={"a.txt": {"bytes": 3, "sha256": "ab"}},
    notes={"steps": 10, "title": "Émile"},
)


@pytest.mark.parametrize("name", ["teachers", "cased-0.1", "selection.json", "submission.zip"])
def test_a_manifest_comes_back_as_it_was_written(name, tmp_path):
    place = tmp_path / name
    place.write_bytes(b"") if place.suffix in {".json", ".zip"} else place.mkdir()
    MANIFEST.write(place)
    assert read_manifest(place) == MANIFEST


def test_a_manifest_stands_in_a_folder_and_beside_a_file(tmp_path):
    assert manifest_path(tmp_path / "cased-0.1") == tmp_path / "cased-0.1" / "manifest.json"
    assert manifest_path(tmp_path / "s.json") == tmp_path / "s.manifest.json"


def test_without_a_manifest_there_is_no_artefact(tmp_path):
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "selection.json") is None


def test_without_its_file_a_manifest_beside_it_counts_for_nothing(tmp_path):
    MANIFEST.write(tmp_path / "selection.json")
    assert manifest_path(tmp_path / "selection.json").is_file()
    assert read_manifest(tmp_path / "selection.json") is None


def test_the_fingerprint_is_of_stage_and_inputs_alone():
    later = dataclasses.replace(MANIFEST, seconds=1.0, peak_memory_mb=1, environment={}, notes={})
    assert later.fingerprint == MANIFEST.fingerprint
    assert dataclasses.replace(MANIFEST, stage="refine").fingerprint != MANIFEST.fingerprint
    changed = {**MANIFEST.inputs, "seed": 2}
    assert dataclasses.replace(MANIFEST, inputs=changed).fingerprint != MANIFEST.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "refine"},
        {"inputs": {"seed": 2}},
        {"fingerprint": "0" * 64},
        {"seconds": 12.6},
        {"files": {}},
        {"notes": {"steps": 11}},
        {"checksum": "0" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_manifest_changed_by_hand_is_refused(change, tmp_path):
    MANIFEST.write(tmp_path)
    path = manifest_path(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(RunDirError, match=f"{path}: has been changed .*; delete {tmp_path}"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", '"text"', "null", "{}", '{"fingerprint": "a"}',
             '{"fingerprint": "a", "stage": "x", "inputs": {}, "other": 1}', "[" * 100_000],
)  # fmt: skip
def test_what_is_no_manifest_is_refused_with_its_path(text, tmp_path):
    manifest_path(tmp_path).write_text(text, "utf-8")
    with pytest.raises(RunDirError, match="not a manifest of this version of mtkd"):
        read_manifest(tmp_path)


def test_a_truncated_manifest_is_refused(tmp_path):
    MANIFEST.write(tmp_path)
    path = manifest_path(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RunDirError, match="not a manifest"):
        read_manifest(tmp_path)


def test_two_manifests_of_the_same_are_the_same_bytes(tmp_path):
    backwards = dataclasses.replace(MANIFEST, inputs=dict(reversed(MANIFEST.inputs.items())))
    for name, manifest in (("a", MANIFEST), ("b", backwards)):
        (tmp_path / name).mkdir()
        manifest.write(tmp_path / name)
    one, other = (manifest_path(tmp_path / name).read_bytes() for name in "ab")
    assert one == other


def test_the_environment_names_the_packages_that_shape_results():
    expected = {"python", "system", "torch", "transformers", "tokenizers", "device", "threads"}
    assert expected <= environment().keys()
    assert environment()["threads"] == str(torch.get_num_threads())
    assert 10 < peak_memory_mb() < 1_000_000
