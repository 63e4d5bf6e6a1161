"""Train rows fall into three parts that share none; cards of the parts read what was there."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from benchmarks.evidence.parts import EXTRA, TUNE, part_of, write_parts
from mtkd.examples import read_examples
from mtkd.recipe import DataSettings
from mtkd.task import load_task

SAMPLE = Path(str(files("mtkd.data"))) / "sample"


@pytest.mark.parametrize("name", ["rte", "mrpc", "stsb", "cola", "mnli"])
def test_every_row_is_in_one_part_as_it_was(name: str, tmp_path: Path) -> None:
    write_parts(name, SAMPLE, tmp_path)
    data = DataSettings(source="directory", root=str(SAMPLE))
    original = load_task(name)
    final, tuning = (load_task(tmp_path / name / f"{card}.yaml") for card in ("final", "tuning"))
    assert final.dev_splits == (*original.dev_splits, EXTRA)
    found = {}
    for card, split in ((final, "train"), (final, EXTRA), (tuning, "dev")):
        for example in read_examples(card, split, data):
            guid = f"{name}/" + example.guid.split("/", 2)[2].replace("-", "/", 1)
            assert guid not in found
            found[guid] = (example.texts, example.label, split)
    before = [*read_examples(original, "train", data)]
    assert {e.guid: (e.texts, e.label) for e in before} == {g: v[:2] for g, v in found.items()}
    assert {e.guid: part_of(e.guid) for e in before} == {
        g: TUNE if v[2] == "dev" else v[2] for g, v in found.items()
    }
    for split in original.dev_splits:
        was, now = (read_examples(task, split, data) for task in (original, final))
        assert [(e.texts, e.label) for e in was] == [(e.texts, e.label) for e in now]
    assert [*read_examples(tuning, "train", data)] == [*read_examples(final, "train", data)]


def test_parts_are_as_large_as_the_protocol_says() -> None:
    parts = [part_of(f"rte/train/{number}") for number in range(20_000)]
    assert parts.count(TUNE) / len(parts) == pytest.approx(0.1, abs=0.01)
    assert parts.count(EXTRA) / len(parts) == pytest.approx(0.2, abs=0.01)
