"""Cards of one's own, made in a test's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from omegaconf import OmegaConf

from mtkd.examples import Example, ReadReport, read_examples
from mtkd.recipe.schema import DataSettings
from mtkd.task import Task, load_task

ANY_DATA = DataSettings(source="sample")  # cards of one's own do not look at it


def own_task(
    folder: Path,
    train: Mapping[str, object] | None = None,
    test: Mapping[str, object] | None = None,
    **keys: object,
) -> Task:
    """Write and load a card that tells cats from dogs by one text; `keys` replace its keys."""
    card = {
        "name": "pets",
        "title": "Cats and dogs",
        "kind": "classification",
        "texts": ["text"],
        "labels": ["cat", "dog"],
        "metrics": ["accuracy"],
        "files": {
            "train": {"path": "train.tsv", **(train or {})},
            "dev": {"path": "dev.tsv"},
            "test": {"path": "test.tsv", "labelled": False, **(test or {})},
        },
        **keys,
    }
    path = folder / "pets.yaml"
    path.write_text(OmegaConf.to_yaml(OmegaConf.create(card)), encoding="utf-8")
    return load_task(path)


def regression(folder: Path, train: Mapping[str, object] | None = None) -> Task:
    """Write and load a card whose labels are scores from 0 to 5."""
    return own_task(folder, train, kind="regression", labels=[], range=[0, 5], metrics=["pearson"])


def read(task: Task, split: str = "train", report: ReadReport | None = None) -> list[Example]:
    """Return all rows of a split."""
    return list(read_examples(task, split, ANY_DATA, report))
