"""Official rows in four parts, chosen by the hash of their guids: files and cards of their own.

Of each task's train rows a tenth is for choosing settings, and a fifth is scored beside the
official dev rows, which are few. Nothing of either is trained on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtkd.examples import Example
    from mtkd.task import Task

TUNE, EXTRA = "tune", "dev_extra"
_TENTHS = {TUNE: (0.0, 0.1), EXTRA: (0.1, 0.3)}  # of the range of hashes


def part_of(guid: str) -> str:
    """Return which part a train row belongs to: "tune", "dev_extra" or "train"."""
    digest = hashlib.sha256(f"evidence:{guid}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return next((n for n, (low, high) in _TENTHS.items() if low <= place < high), "train")


def write_parts(name: str, glue: Path, folder: Path) -> None:
    """Write a task's parts, and its cards `final.yaml` and `tuning.yaml`, into `folder`/`name`.

    Args: name: a built-in task. glue: a glue_data folder.
    """
    from mtkd.examples import has_split, read_examples
    from mtkd.recipe import DataSettings
    from mtkd.task import load_task

    task = load_task(name)
    data = DataSettings(source="directory", root=str(glue))
    own = folder / name
    own.mkdir(parents=True, exist_ok=True)
    train: dict[str, list[Example]] = {"train": [], TUNE: [], EXTRA: []}
    for example in read_examples(task, task.train_splits[0], data):
        train[part_of(example.guid)].append(example)
    for part, examples in train.items():
        _write(own / f"{part}.jsonl", task, examples)
    for split in task.dev_splits:
        _write(own / f"{split}.jsonl", task, read_examples(task, split, data))
    texts = [s for s in task.files if s.startswith("test") and has_split(task, s, data)]
    if texts:
        _write(own / "unlabelled.jsonl", task, read_examples(task, texts[0], data))
    final = {split: split for split in ("train", *task.dev_splits, EXTRA)}
    _card(own / "final.yaml", task, final | ({"unlabelled": "unlabelled"} if texts else {}))
    _card(own / "tuning.yaml", task, {"train": "train", "dev": TUNE})


def _write(path: Path, task: Task, examples: Iterable[Example]) -> None:
    lines = []
    for example in examples:
        line: dict[str, Any] = {"id": example.guid.split("/", 1)[1].replace("/", "-")}
        line |= dict(zip(task.texts, example.texts, strict=True))
        if example.label is not None:
            classes = task.kind == "classification"
            line["label"] = task.labels[int(example.label)] if classes else example.label
        lines.append(json.dumps(line) + "\n")
    path.write_text("".join(lines), "utf-8")


def _card(path: Path, task: Task, files: dict[str, str]) -> None:
    """Write the task's card with other files. Args: files: split -> name of the part."""
    card = task.model_dump(
        mode="json", exclude_defaults=True, exclude={"files", "hub", "submission", "file_labels"}
    )
    card["label"] = "label"
    card["files"] = {
        split: {"path": f"{part}.jsonl", "id": "id", "labelled": split != "unlabelled"}
        for split, part in files.items()
    }
    path.write_text(json.dumps(card, indent=2) + "\n", "utf-8")  # JSON is YAML
