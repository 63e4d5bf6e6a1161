"""The run directory: where each kind of artefact stands in it."""

from __future__ import annotations

from typing import Literal

from mtkd.encoders import encoder_slug
from mtkd.examples import Fold

Part = Literal["gold", "test", "unlabelled"]
_FOLDERS = {"gold": "prepared", "test": "prepared_test", "unlabelled": "prepared_unlabelled"}


def prepared_place(encoder: str, task: str, part: Part = "gold") -> str:
    """Return where a task's rows stand, tokenised for an encoder.

    Apart from the rows of train and dev are those that a submission is made for and those without
    gold labels, since most models are made from neither: a test file that comes later makes no
    teacher stale.
    """
    return f"{_FOLDERS[part]}/{encoder_slug(encoder)}/{task}"


def part_of(split: str) -> Part:
    """Return which of a task's rows a split is among."""
    if split.startswith("test"):
        return "test"
    return "unlabelled" if split.startswith("unlabelled") else "gold"


def refined_place(candidate: str) -> str:
    """Return where a refined candidate stands."""
    return f"refined/{candidate}"


def teacher_place(candidate: str, task: str) -> str:
    """Return where a teacher stands."""
    return f"teachers/{candidate}/{task}"


def fold_teacher_place(fold: Fold, candidate: str, task: str) -> str:
    """Return where a teacher stands that has not seen one part of the rows."""
    return f"folds/{fold.number}/teachers/{candidate}/{task}"


def predictions_place(model: str, task: str, *, unlabelled: bool = False) -> str:
    """Return where a model's predictions for a task stand."""
    return f"predictions{'_unlabelled' * unlabelled}/{model}/{task}"


def soft_labels_place(task: str) -> str:
    """Return where a task's soft labels stand."""
    return f"soft_labels/{task}"


def finetuned_place(model: str, task: str) -> str:
    """Return where a model's copy for one task stands."""
    return f"{model}_finetuned/{task}"
