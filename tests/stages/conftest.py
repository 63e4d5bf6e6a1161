"""A small pipeline with folds and rows without gold labels, and what it leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mtkd.stages import Run
from tests.carry_out import carried_out


@pytest.fixture(scope="session")
def unlabelled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs for RTE without gold labels."""
    path = tmp_path_factory.mktemp("unlabelled") / "pairs.tsv"
    rows = [f"the cat sees a dog {'.' * i}\ta dog runs {'!' * (i % 3)}" for i in range(30)]
    path.write_text("\n".join(["sentence1\tsentence2", *rows]) + "\n", "utf-8")
    return path


@pytest.fixture(scope="session")
def folds_recipe(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_glue: Path,
    tiny_encoder: str,
    tiny_cased_encoder: str,
    unlabelled_file: Path,
) -> Path:
    """Two teachers for RTE and STS-B, out of fold; RTE has pairs without gold labels too."""
    path = tmp_path_factory.mktemp("recipes") / "folds.yaml"
    content = {
        "name": "folds",
        "tasks": ["rte", "stsb"],
        "data": {"root": str(tiny_glue), "max_length": 48},
        "teachers": {
            "candidates": [
                {"name": "uncased", "encoder": tiny_encoder},
                {"name": "cased", "encoder": tiny_cased_encoder},
            ],
            "refine": False,
            "select": {"keep": 2},
            "tasks": ["rte", "stsb"],
        },
        "soft_labels": {"folds": 3, "unlabelled": {"files": {"rte": str(unlabelled_file)}}},
        "student": {"encoder": tiny_encoder},
        "baseline": True,
        "training": {"epochs": 1, "batch_size": 16, "learning_rate": 1e-3, "precision": "fp32"},
    }
    OmegaConf.save(OmegaConf.create(content), path)
    return path


@pytest.fixture(scope="session")
def folds_run(tmp_path_factory: pytest.TempPathFactory, folds_recipe: Path) -> Run:
    """The pipeline with folds, carried out. Tests must not change it."""
    return carried_out(folds_recipe, tmp_path_factory.mktemp("runs") / "folds")
