"""Official rows in five parts, chosen by the hash of their texts: files and cards of their own.

Of each task's train rows a tenth is for choosing settings, a fifth is scored beside the official
dev rows, which are few, and a tenth is kept for confirming what is tried later. Rows with the same
first text go together, and a scored row none of whose texts is trained on is what is kept of them.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtkd.examples import Example
    from mtkd.task import Task

TRAIN, TUNE, EXTRA, CONFIRM = "train", "tune", "dev_extra", "confirm"
_RANGES = {TUNE: (0.0, 0.1), EXTRA: (0.1, 0.3), CONFIRM: (0.3, 0.4)}  # of hashes


def normalised(text: str) -> str:
    """Return a text's words alone, in small letters."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def part_of(task: str, text: str) -> str:
    """Return which part the train rows with this first text belong to."""
    digest = hashlib.sha256(f"evidence:{task}:{normalised(text)}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return next((n for n, (low, high) in _RANGES.items() if low <= place < high), TRAIN)


def write_parts(name: str, glue: Path, folder: Path) -> str:
    """Write a task's parts and cards into `folder`/`name`, unless they are there.

    The cards are `tuning.yaml`, `final.yaml` and `confirming.yaml`, with other dev splits each.

    Args: name: a built-in task. glue: a glue_data folder.
    Returns: a hash of all that is written.
    """
    own = folder / name
    if not (own / "hash").is_file():
        staged = folder / f".{name}.partial"
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        _write_all(name, glue, staged)
        files = sorted(staged.iterdir())
        digest = hashlib.sha256(b"".join(f.name.encode() + f.read_bytes() for f in files))
        (staged / "hash").write_text(digest.hexdigest(), "utf-8")
        staged.rename(own)
    return (own / "hash").read_text("utf-8")


def _write_all(name: str, glue: Path, folder: Path) -> None:
    from mtkd.examples import has_split, read_examples
    from mtkd.recipe import DataSettings
    from mtkd.task import load_task

    task = load_task(name)
    data = DataSettings(source="directory", root=str(glue))
    parts: dict[str, list[Example]] = {part: [] for part in (TRAIN, *_RANGES)}
    for example in read_examples(task, task.train_splits[0], data):
        parts[part_of(name, example.texts[0])].append(example)
    trained = _texts(parts[TRAIN])
    for part in _RANGES:
        parts[part] = [e for e in parts[part] if not _texts([e]) & trained]
    for split in task.dev_splits:
        parts[split] = [*read_examples(task, split, data)]
    tests = [s for s in task.files if s.startswith("test") and has_split(task, s, data)]
    if tests:
        scored = set().union(*(_texts(rows) for part, rows in parts.items() if part != TRAIN))
        unlabelled = read_examples(task, tests[0], data)
        parts["unlabelled"] = [e for e in unlabelled if not _texts([e]) & scored]
    for part, rows in parts.items():
        _write(folder / f"{part}.jsonl", task, rows)
    text = {"unlabelled": "unlabelled"} if tests else {}
    final = {split: split for split in (*task.dev_splits, EXTRA)}
    for card, splits in (("tuning", {"dev": TUNE}), ("final", final),
                         ("confirming", {"dev": CONFIRM})):  # fmt: skip
        _card(folder / f"{card}.yaml", task, {TRAIN: TRAIN, **splits, **text})


def _texts(examples: Iterable[Example]) -> set[str]:
    return {normalised(text) for example in examples for text in example.texts}


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
