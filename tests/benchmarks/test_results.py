"""Results are written section by section, and tell a missed target from one that is met."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.harness import Section, Table, Target
from benchmarks.results import write_section

ABOUT = {"command": "make bench", "device": "cpu"}


def section(figure: float) -> Section:
    table = Table(("arm", "seconds"), (("one|two", f"{figure}"),))
    return Section("a title", "A note.", (table,), (Target("speed", figure, 2.0),), {"raw": [1]})


def test_each_section_is_kept_when_the_next_is_written(tmp_path: Path) -> None:
    write_section(tmp_path, "train", section(1.0), 3.0, ABOUT)
    markdown = write_section(tmp_path, "soften", section(2.5), 4.0, ABOUT)
    content = json.loads(markdown.with_suffix(".json").read_text("utf-8"))
    assert list(content) == ["train", "soften"]
    assert [part["targets"][0]["met"] for part in content.values()] == [False, True]
    assert content["train"]["data"] == {"raw": [1]}
    assert content["train"]["about"] == ABOUT


def test_a_benchmark_run_again_replaces_its_own_section_alone(tmp_path: Path) -> None:
    for name, figure in (("train", 1.0), ("soften", 2.5), ("train", 3.0)):
        markdown = write_section(tmp_path, name, section(figure), 1.0, ABOUT)
    content = json.loads(markdown.with_suffix(".json").read_text("utf-8"))
    assert {n: p["targets"][0]["value"] for n, p in content.items()} == {
        "train": 3.0,
        "soften": 2.5,
    }


def test_the_markdown_says_which_targets_are_missed(tmp_path: Path) -> None:
    write_section(tmp_path, "train", section(1.0), 3.0, ABOUT)
    text = write_section(tmp_path, "soften", section(2.5), 4.0, ABOUT).read_text("utf-8")
    assert "| train | speed | 1.00 | >= 2 | NO |" in text
    assert "| soften | speed | 2.50 | >= 2 | yes |" in text
    assert "| one/two | 1.0 |" in text  # a bar within a cell would tear the table
    assert text.count("command make bench") == 1  # the same machine is described once
