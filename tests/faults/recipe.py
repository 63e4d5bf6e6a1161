"""A recipe with every stage in it, small enough to be killed a hundred times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from tests.tiny import make_encoder

STAGES = ("prepare", "refine", "select", "teach", "soften", "distill", "evaluate", "submit")


def tiny_content(folder: Path) -> dict[str, Any]:
    """Return the recipe's keys; its encoders are made in `folder`.

    Three candidates of two encoders, of which two are kept, MNLI with its two dev splits, STS-B for
    regression, a student with a baseline and fine-tuned copies; a save after every update.
    """
    encoders = [
        make_encoder(folder / "tiny-uncased"),
        make_encoder(folder / "tiny-cased", cased=True, seed=1),
    ]
    return {
        "name": "faults",
        "tasks": ["rte", "stsb", "mnli"],
        "data": {
            "source": "sample",
            "max_rows": {"train": 16, "dev": 12, "test": 6},
            "max_length": 32,
        },
        "teachers": {
            "candidates": [
                {"name": "a", "encoder": encoders[0], "dropout": 0.1},
                {"name": "b", "encoder": encoders[1], "dropout": 0.1},
                {"name": "c", "encoder": encoders[0], "dropout": 0.3},
            ],
            "select": {"by": ["rte"], "keep": 2},
            "tasks": ["rte", "stsb"],
        },
        "student": {
            "encoder": encoders[0],
            "anneal": True,
            "training": {"epochs": 2},
            "finetune": True,
            "finetune_training": {"epochs": 1},
        },
        "baseline": True,
        "training": {
            "epochs": 1,
            "batch_size": 4,
            "learning_rate": 1e-3,
            "precision": "fp32",
            "keep_best_per_task": True,
            "log_every": 1,
            "save_every": "1 step",
        },
    }


def write_recipe(folder: Path, content: dict[str, Any], name: str = "faults.yaml") -> Path:
    """Write a recipe's keys, in their order, as YAML."""
    path = folder / name
    OmegaConf.save(OmegaConf.create(content), path)
    return path
