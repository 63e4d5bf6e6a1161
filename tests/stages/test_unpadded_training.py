from __future__ import annotations

import json
from pathlib import Path

from tests.carry_out import carried_out


def test_a_training_without_padding_goes_through(tiny_recipe: Path, tmp_path: Path) -> None:
    """What autograd remembers is then in jagged tensors, which the look at memory has to count."""
    run = carried_out(tiny_recipe, tmp_path / "run", "tasks=[rte]", "teachers=null",
                      "student.finetune=false", "training.unpad=true", last="distill")  # fmt: skip
    lines = (run.folder / "student" / "log.jsonl").read_text("utf-8").splitlines()
    assert sum("loss" in json.loads(line) for line in lines) == 3
    manifest = json.loads((run.folder / "student" / "manifest.json").read_text("utf-8"))
    assert manifest["notes"]["memory"]["needed_bytes"] > 0
