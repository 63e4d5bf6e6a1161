"""prepare: read every task's rows and tokenise them for every encoder of the recipe."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from mtkd.artifacts import check_remembered, remembered_sha256
from mtkd.encoders import (
    encoder_slug,
    length_settings,
    load_tokenizer,
    max_positions,
    tokenizer_sha256,
)
from mtkd.errors import DataError, EncoderError
from mtkd.examples import (
    Example,
    cap,
    has_split,
    read_examples,
    split_path,
    tokenise,
)
from mtkd.metrics import check_gold
from mtkd.recipe.names import folder_key
from mtkd.stages.places import Part, part_of, prepared_place
from mtkd.stages.prepared import INFO, open_prepared
from mtkd.stages.unit import Run, Unit, flat, flat_mapping
from mtkd.task import Task

STAGE = "prepare"

log = logging.getLogger(__name__)


def unlabelled_splits(run: Run, task: str) -> list[str]:
    """Return a task's splits without gold labels that are there, if the recipe wants them."""
    card = run.tasks[task]
    if run.recipe.soft_labels.unlabelled is None:
        return []
    return [split for split in card.unlabelled_splits if has_split(card, split, run.recipe.data)]


def has_gold(task: Task) -> bool:
    """Return whether a task has rows to train on or to score; AX has none."""
    return any(part_of(split) == "gold" for split in task.splits)


def test_splits(run: Run, task: Task) -> list[str]:
    """Return a task's splits to predict that are there."""
    return [split for split in task.test_splits if has_split(task, split, run.recipe.data)]


def has_unlabelled(run: Run, task: str) -> bool:
    """Return whether a task has rows without gold labels to learn from."""
    return bool(unlabelled_splits(run, task))


def count_rows(run: Run, encoder: str, task: Task, split: str) -> int | None:
    """Return the rows of a split, counted in its file; on the hub those prepared, or None."""
    if split in _files(run, task):
        found = sum(1 for _ in read_examples(task, split, run.recipe.data))
        limit = _limit(run, split)
        return found if limit is None else min(found, limit)
    part = part_of(split)
    if not (run.folder / prepared_place(encoder, task.name, part) / INFO).is_file():
        return None
    prepared = open_prepared(run, encoder, task.name, part)
    return prepared.info["splits"][split]["rows"]


def units(run: Run) -> list[Unit]:
    """Return the units of each pair of encoder and task; test rows for the student's encoder."""
    student = run.recipe.student.encoder
    encoders = [student]
    if run.recipe.teachers is not None:
        encoders += [candidate.encoder for candidate in run.recipe.teachers.candidates]
    slugs: dict[str, str] = {}
    for encoder in encoders:
        key = folder_key(encoder_slug(encoder))
        if slugs.setdefault(key, encoder) != encoder:
            raise EncoderError(f"{encoder} and {slugs[key]} would share a folder; rename one of "
                               "them")  # fmt: skip
    if run.recipe.soft_labels.unlabelled is not None and not any(
        has_unlabelled(run, task) for task in run.soft_tasks
    ):
        raise DataError("soft_labels.unlabelled: there are no rows without gold labels for any of "
                        f"{', '.join(run.soft_tasks)}: name files under soft_labels.unlabelled."
                        "files, or in the tasks' cards, or leave the key out")  # fmt: skip
    found = []
    for encoder in slugs.values():
        for task in run.tasks.values():
            if has_gold(task) and (encoder == student or task.head_of is None):
                found.append(_unit(run, encoder, task, "gold"))
            if encoder == student and test_splits(run, task):
                found.append(_unit(run, encoder, task, "test"))
            if has_unlabelled(run, task.name) and task.name in run.soft_tasks:
                found.append(_unit(run, encoder, task, "unlabelled"))
    return found


def _unit(run: Run, encoder: str, task: Task, part: Part) -> Unit:
    data = run.recipe.data
    splits = tuple(split for split in task.splits if part_of(split) == part)
    kinds = {"gold": ("train", "dev"), "test": ("test",), "unlabelled": ()}[part]
    limits = {f"data.max_rows.{kind}": getattr(data.max_rows, kind) for kind in kinds}
    card = task.model_copy(update={"files": {s: f for s, f in task.files.items() if s in splits}})
    # a file that is moved is the same file
    moved = {s: f.model_copy(update={"path": Path(f.path).suffix}) for s, f in card.files.items()}
    card = card.model_copy(update={"files": moved})
    left_out = {"title", "metrics", "head", "submission"}
    settings: dict[str, Any] = {
        **flat("data", data, {"root", "max_rows"}),
        **limits,
        **{f"tokenizer file {name}": sha for name, sha in tokenizer_sha256(encoder).items()},
        **{f"encoder.{key}": value for key, value in length_settings(encoder).items()},
        **flat_mapping("card", card.model_dump(mode="json", exclude=left_out), set()),
        **{
            f"file {split}": remembered_sha256(path)
            for split, path in _files(run, task).items()
            if split in splits
        },
    }
    if any(limit is not None for limit in limits.values()):
        settings["seed"] = run.recipe.seed  # it says which rows are kept
    return Unit(
        stage=STAGE,
        place=prepared_place(encoder, task.name, part),
        settings=settings,
        needs=(),
        build=partial(_build, run, encoder, task, splits),
        version=3,  # test rows are apart
        rows=partial(_all_rows, run, encoder, task, splits),
    )


def _files(run: Run, task: Task) -> dict[str, Path]:
    """Return the task's files by split; none on the hub.

    Raises: DataError: a train or dev file is not there.
    """
    data = run.recipe.data
    for split in (*task.train_splits, *task.dev_splits):
        if not has_split(task, split, data):
            read_examples(task, split, data)  # says which file, and what to do
    on_hub = task.folder is None and data.source == "hub"
    splits = task.unlabelled_splits if on_hub else task.files
    there = [s for s in splits if s in task.files and has_split(task, s, data)]
    return {split: split_path(task, split, data) for split in there}


def _build(
    run: Run, encoder: str, task: Task, wanted: tuple[str, ...], folder: Path
) -> dict[str, Any]:
    from mtkd.examples.prepared import PreparedSplit  # with torch, not to list a run

    data = run.recipe.data
    for split, path in _files(run, task).items():
        if split in wanted:
            check_remembered(path)
    tokenizer = load_tokenizer(encoder)
    bounds = (tokenizer.model_max_length, max_positions(encoder) or data.max_length)
    length = min(data.max_length, *bounds)
    if length < data.max_length:
        log.info("%s takes at most %d word pieces", encoder, length)
    for split in task.test_splits:
        if split not in wanted and not has_split(task, split, data):
            log.warning("%s/%s: no file; the submission will be partial", task.name, split)
    splits: dict[str, Any] = {}
    for split in wanted:
        if not has_split(task, split, data):
            continue
        rows = _capped(run, task, split, read_examples(task, split, data))
        info = tokenise(rows, tokenizer, length, folder / f"{split}.arrow")
        splits[split] = dataclasses.asdict(info)
        log.info("%s/%s: %d rows, %d cut at %d word pieces",
                 task.name, split, info.rows, info.cut, length)  # fmt: skip
        if split in task.dev_splits:
            check_gold(task, split, PreparedSplit(folder / f"{split}.arrow", 0).labels)
    content = {"pad_token_id": tokenizer.pad_token_id, "splits": splits}
    (folder / INFO).write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    return {"rows": {s: i["rows"] for s, i in splits.items()},
            "cut": {s: i["cut"] for s, i in splits.items()}, "max_length": length}  # fmt: skip


def _capped(run: Run, task: Task, split: str, rows: Iterator[Example]) -> Iterator[Example]:
    limit = _limit(run, split)
    return rows if limit is None else iter(cap(rows, limit, run.recipe.seed))


def _limit(run: Run, split: str) -> int | None:
    return getattr(run.recipe.data.max_rows, split.split("_")[0], None)


def _all_rows(run: Run, encoder: str, task: Task, wanted: tuple[str, ...]) -> int | None:
    there = [split for split in wanted if has_split(task, split, run.recipe.data)]
    counts = [count_rows(run, encoder, task, split) for split in there]
    return None if None in counts else sum(count or 0 for count in counts)
