"""A card's keys: which of them rerun what, and that `mtkd status` names them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mtkd.task import Task
from tests.pipeline.made_up import MadeUp, changed_rooms, make_up, stale
from tests.pipeline.staleness_table import CARD
from tests.pipeline.test_staleness import keys_of

OWN = {
    "name": "own", "title": "Own", "kind": "classification", "texts": ["one", "two"],
    "label": "gold", "labels": ["cat", "dog"], "file_labels": ["0", "1"], "positive": "cat",
    "metrics": ["accuracy"],
    "files": {
        "train": {"path": "train.tsv", "id": "id"},
        "dev": {"path": "dev.tsv", "id": "id"},
        "test": {"path": "test.tsv", "id": "id", "labelled": False},
        "unlabelled": {"path": "pairs.tsv", "labelled": False},
    },
    "submission": [
        {"split": "test", "file": "Own.tsv", "rows": 8, "labels": ["cat", "dog"], "majority": "cat"}
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def own_card(tmp_path_factory: pytest.TempPathFactory, tiny_recipe: Path) -> tuple[Path, MadeUp]:
    """A card with every kind of file, and a made-up run of it."""
    folder = tmp_path_factory.mktemp("card")
    for name in ("train", "dev", "test"):
        (folder / f"{name}.tsv").write_text("id\tone\ttwo\tgold\n0\ta\tb\t1\n", "utf-8")
    (folder / "pairs.tsv").write_text("one\ttwo\na\tb\n", "utf-8")
    shutil.copy(folder / "train.tsv", folder / "copy.tsv")
    shutil.copy(folder / "pairs.tsv", folder / "copied_pairs.tsv")
    write_card(folder / "own.yaml", {})
    overrides = [f"tasks=[{folder / 'own.yaml'}]", "teachers.tasks=[own]",
                 "teachers.select={by: [own], keep: 2}",
                 "soft_labels={folds: 2, unlabelled: {}}"]  # fmt: skip
    return folder / "own.yaml", make_up(tiny_recipe, overrides, folder / "run")


def write_card(path: Path, changes: Mapping[str, object]) -> None:
    card = OmegaConf.create(OWN)
    for key, value in changes.items():
        OmegaConf.update(card, key, OmegaConf.create(f"x: {value}").x, merge=False)
    OmegaConf.save(card, path)


def test_every_key_of_a_card_has_its_row_in_the_table() -> None:
    whole = {"hub", "submission", "head"}
    keys = {key.split(".")[0] if key.split(".")[0] in whole else key for key in keys_of(Task)}
    rows = {
        f"files.{{task}}.{key.split('.')[2]}" if key.startswith("files.") else key for key in CARD
    }
    assert {key.removesuffix(".{task}") for key in keys} == rows


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, row in CARD.items() for value in row.values]
)
def test_a_key_of_a_card_alone_changes_what_its_row_says(
    own_card: tuple[Path, MadeUp], key: str, value: str
) -> None:
    card, made = own_card
    write_card(card, {key: value})
    try:
        after = made.changed()
        assert changed_rooms(made, after) == CARD[key].rooms
        named = key.split(".")[0]
        assert all(named in why or "made a" in why for why in stale(after).values())
    finally:
        write_card(card, {})
    assert stale(made.changed()) == {}
