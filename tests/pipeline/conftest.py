"""Four made-up runs that are done, which between them have every room of a run directory."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pipeline.made_up import MadeUp, make_up
from tests.soft_labels.stores import RTE, make_rows, write_rows

VARIANTS = {
    "paper": [],
    "folds": ["tasks=[rte,stsb,cola]", "teachers.select={by: [rte], keep: 2}",
              "soft_labels={folds: 3, unlabelled: {files: {rte: {pairs}}}}"],
    "unrefined": ["teachers.refine=false", "teachers.select.method=greedy", "baseline=false",
                  "student.finetune=false", "student.tasks=[rte,mnli]", "data.max_rows.dev=20",
                  "data.max_rows.test=8"],
    "imported": ["teachers=null", "soft_labels={imported: {rte: {store}}}"],
}  # fmt: skip


@pytest.fixture(scope="session")
def files(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_glue: Path,
    tiny_encoder: str,
    tiny_cased_encoder: str,
) -> dict[str, str]:
    """What stands for a file in an override, and its path."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("same", "changed"):
        shutil.copytree(tiny_glue, folder / name)
    change_a_byte(folder / "changed/RTE/train.tsv")
    for name, last in (("pairs", "runs"), ("other pairs", "eats"), ("copied pairs", "runs")):
        text = f"sentence1\tsentence2\nthe cat\tsleeps\na dog\t{last}\n"
        (folder / f"{name}.tsv").write_text(text, "utf-8")
    for seed, name in enumerate(("store", "other store")):
        write_rows(folder / f"{name}.parquet", make_rows(8, RTE, seed), RTE)
    shutil.copy(folder / "store.parquet", folder / "copied store.parquet")
    paths = {path.stem: str(path) for path in folder.iterdir()}
    return {**paths, "uncased": tiny_encoder, "cased": tiny_cased_encoder}


@pytest.fixture(scope="session")
def made_up_runs(
    tmp_path_factory: pytest.TempPathFactory, tiny_recipe: Path, files: dict[str, str]
) -> dict[str, MadeUp]:
    """The runs of `VARIANTS`. Tests must not change them."""
    return {
        name: make_up(tiny_recipe, filled(overrides, files), tmp_path_factory.mktemp("runs") / name)
        for name, overrides in VARIANTS.items()
    }


def filled(overrides: list[str], files: dict[str, str]) -> list[str]:
    """Return overrides with paths for the names of files in braces."""
    for name, path in files.items():
        overrides = [text.replace(f"{{{name}}}", path) for text in overrides]
    return overrides


def change_a_byte(path: Path, place: int = -2) -> None:
    """Change one byte of a file, by default the last before its final newline."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
