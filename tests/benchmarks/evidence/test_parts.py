"""Train rows fall into four parts that share no text with what is trained on; cards read them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from benchmarks.evidence.parts import CONFIRM, EXTRA, TUNE, normalised, part_of, write_parts
from mtkd.examples import Example, read_examples
from mtkd.recipe import DataSettings
from mtkd.task import load_task

SAMPLE = Path(str(files("mtkd.data"))) / "sample"
DATA = DataSettings(source="directory", root=str(SAMPLE))


def _texts(rows: list[Example]) -> set[str]:
    return {normalised(text) for row in rows for text in row.texts}


@pytest.mark.parametrize("name", ["rte", "mrpc", "stsb", "cola", "mnli"])
def test_rows_are_as_they_were_and_each_in_the_part_of_its_first_text(
    name: str, tmp_path: Path
) -> None:
    write_parts(name, SAMPLE, tmp_path)
    original = load_task(name)
    final, tuning, confirming = (
        load_task(tmp_path / name / f"{card}.yaml") for card in ("final", "tuning", "confirming")
    )
    assert final.dev_splits == (*original.dev_splits, EXTRA)
    before = {e.guid: e for e in read_examples(original, "train", DATA)}
    parts = {}
    for card, split, part in ((final, "train", "train"), (final, EXTRA, EXTRA),
                              (tuning, "dev", TUNE), (confirming, "dev", CONFIRM)):  # fmt: skip
        parts[part] = [*read_examples(card, split, DATA)]
        for example in parts[part]:
            old = before.pop(f"{name}/" + example.guid.split("/", 2)[2].replace("-", "/", 1))
            assert (old.texts, old.label) == (example.texts, example.label)
            assert part_of(name, old.texts[0]) == part
    trained = _texts(parts.pop("train"))
    assert not any(_texts(rows) & trained for rows in parts.values())
    for left in before.values():  # because they share a text, and for no other reason
        assert part_of(name, left.texts[0]) != "train"
        assert _texts([left]) & trained
    for split in original.dev_splits:
        was, now = (read_examples(task, split, DATA) for task in (original, final))
        assert [(e.texts, e.label) for e in was] == [(e.texts, e.label) for e in now]
    for other in (tuning, confirming):
        assert [*read_examples(other, "train", DATA)] == [*read_examples(final, "train", DATA)]


def test_unlabelled_text_is_none_that_is_scored(tmp_path: Path) -> None:
    glue = tmp_path / "glue"
    (glue / "RTE").mkdir(parents=True)
    for split in ("train", "dev", "test"):
        content = (SAMPLE / f"RTE/{split}.tsv").read_text("utf-8").splitlines()
        if split == "test":
            scored = (SAMPLE / "RTE/dev.tsv").read_text("utf-8").splitlines()[1].split("\t")
            content.append("\t".join(["999999", scored[1].upper(), "Something of its own"]))
        (glue / f"RTE/{split}.tsv").write_text("\n".join(content) + "\n", "utf-8")
    write_parts("rte", glue, tmp_path / "parts")
    card = load_task(tmp_path / "parts/rte/final.yaml")
    rows = [*read_examples(card, "unlabelled", DATA)]
    assert rows
    assert not any("999999" in row.guid for row in rows)


def test_parts_that_are_there_are_left_as_they_are(tmp_path: Path) -> None:
    first = write_parts("rte", SAMPLE, tmp_path)
    stamp = (tmp_path / "rte/train.jsonl").stat().st_mtime_ns
    assert write_parts("rte", SAMPLE, tmp_path) == first
    assert (tmp_path / "rte/train.jsonl").stat().st_mtime_ns == stamp
    assert write_parts("rte", SAMPLE, tmp_path / "again") == first


def test_parts_are_as_large_as_the_protocol_says() -> None:
    parts = [part_of("rte", f"text {number}") for number in range(20_000)]
    for part, share in ((TUNE, 0.1), (EXTRA, 0.2), (CONFIRM, 0.1)):
        assert parts.count(part) / len(parts) == pytest.approx(share, abs=0.01)
    assert part_of("rte", "A text.") == part_of("rte", "a  TEXT")
