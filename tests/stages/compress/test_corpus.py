"""The corpus of a run: what it holds, and what makes it stale."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from omegaconf import OmegaConf

from mtkd.artifacts import hashes
from mtkd.errors import RunDirError
from mtkd.recipe import CompressRecipe, load_recipe
from mtkd.stages.compress import CompressRun, corpus, plan_compress
from tests.examples.own_cards import own_task

Planned = Callable[..., CompressRun]


@pytest.fixture
def planned(tmp_path: Path, tiny_encoder: str) -> Planned:
    """Return the run of a recipe with some keys of its corpus set."""

    def plan(**keys: object) -> CompressRun:
        content = {
            "name": "small",
            "kind": "compress",
            "teacher": {"encoder": tiny_encoder},
            "student": {"layers": 1},
            "corpus": {"dev_share": 0.3, **keys},
            "losses": {"mlm": {"weight": 1.0}},
        }
        OmegaConf.save(OmegaConf.create(content), tmp_path / "small.yaml")
        recipe = load_recipe(str(tmp_path / "small.yaml"))
        assert isinstance(recipe, CompressRecipe)
        return plan_compress(recipe, tmp_path / "run")

    return plan


def texts_in(path: Path, count: int = 40) -> str:
    lines = [json.dumps({"text": f"the cat sees {i} dogs", "other": f"a dog runs {i} times"})
             for i in range(count)]  # fmt: skip
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return str(path)


def inputs(run: CompressRun) -> Mapping[str, Any]:
    (unit,) = corpus.units(run)
    return unit.settings


def built(run: CompressRun) -> tuple[Path, dict[str, Any]]:
    (unit,) = corpus.units(run)
    folder = run.folder / unit.place
    folder.mkdir(parents=True)
    return folder, unit.build(folder)


def rows(path: Path) -> list[list[int]]:
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_stream(file).read_all()["input_ids"].to_pylist()


def test_rows_counts_and_what_was_seen_are_written(planned: Planned, tmp_path: Path) -> None:
    folder, notes = built(planned(files=[texts_in(tmp_path / "t.jsonl")], min_tokens=3))
    info = json.loads((folder / "info.json").read_text())
    train, dev = (rows(folder / f"{split}.arrow") for split in ("train", "dev"))
    assert info["texts"] == 40 == len(train) + len(dev)
    assert info["rows"] == {"train": len(train), "dev": len(dev)} == notes["rows"]
    counts = np.load(folder / "counts.npy", allow_pickle=False)
    assert counts.dtype == np.int64
    plain = np.bincount([token for row in train for token in row], minlength=len(counts))
    assert counts.tolist() == plain.tolist()


def test_the_order_of_files_does_not_change_what_is_held_out(
    planned: Planned, tmp_path: Path
) -> None:
    files = []
    for number in range(3):
        path = tmp_path / f"{number}.txt"
        path.write_text("\n".join(f"the cat sees {number} {i}" for i in range(40)))
        files.append(str(path))
    found = []
    for order in (files, files[::-1]):
        folder, _ = built(planned(files=order))
        found.append({tuple(row) for row in rows(folder / "dev.arrow")})
        shutil.rmtree(folder)
    assert found[0] == found[1]


def test_a_moved_file_is_the_same_file(planned: Planned, tmp_path: Path) -> None:
    one = texts_in(tmp_path / "t.jsonl")
    (tmp_path / "other").mkdir()
    two = texts_in(tmp_path / "other" / "u.jsonl")
    assert inputs(planned(files=[one])) == inputs(planned(files=[two]))


@pytest.mark.parametrize(
    "other",
    [
        {"column": "other"},
        {"unit": "sentence"},
        {"max_length": 64},
        {"min_tokens": 4},
        {"max_unknown": 0.4},
        {"dev_share": 0.4},
        {"hub": {"path": "org/texts"}},
    ],
)
def test_each_key_that_shapes_rows_makes_them_stale(
    other: Mapping[str, object], planned: Planned, tmp_path: Path
) -> None:
    files = [texts_in(tmp_path / "t.jsonl")]
    assert inputs(planned(files=files)) != inputs(planned(files=files, **other))


def test_other_texts_or_the_same_bytes_read_otherwise_make_rows_stale(
    planned: Planned, tmp_path: Path
) -> None:
    before = inputs(planned(files=[texts_in(tmp_path / "t.jsonl")]))
    assert before != inputs(planned(files=[texts_in(tmp_path / "u.jsonl", 41)]))
    assert before != inputs(planned(files=[texts_in(tmp_path / "t.txt")]))


def test_a_card_that_reads_another_column_makes_rows_stale(
    planned: Planned, tmp_path: Path
) -> None:
    (tmp_path / "train.tsv").write_text("text\tother\tlabel\nthe cat\ta dog\tcat\n")
    (tmp_path / "dev.tsv").write_text("text\tother\tlabel\nthe cat\ta dog\tcat\n")
    own_task(tmp_path)
    card = str(tmp_path / "pets.yaml")
    before = inputs(planned(tasks=[card]))
    own_task(tmp_path, metrics=["f1"], positive="cat", title="Other")
    assert inputs(planned(tasks=[card])) == before
    own_task(tmp_path, {"columns": {"text": "other"}})
    assert inputs(planned(tasks=[card])) != before


def test_a_file_that_is_damaged_after_its_hash_is_known_is_refused(
    planned: Planned, tmp_path: Path
) -> None:
    path = Path(texts_in(tmp_path / "t.jsonl"))
    run = planned(files=[str(path)])
    (unit,) = corpus.units(run)
    state = path.stat()
    with path.open("r+b") as file:
        file.seek(12)
        file.write(b"X")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    hashes._read_here.discard(str(path.absolute()))  # as in another process
    folder = tmp_path / "built"
    folder.mkdir()
    with pytest.raises(RunDirError, match=r"t\.jsonl: its bytes have changed"):
        unit.build(folder)
