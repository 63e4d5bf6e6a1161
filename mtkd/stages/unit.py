"""What stages are made of: artefacts, each with its place, what goes into it, how it is made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from mtkd.encoders import encoder_sha256
from mtkd.recipe import EncoderLosses, EncoderSettings, GlueRecipe, TrainingSettings
from mtkd.task import Task

# settings that change what is seen, when it is saved or in what memory it is run, and no result
# but for rounding and the draws of dropout
_WITHOUT_EFFECT = {
    "log_every",
    "save_every",
    "trackers",
    "accumulation",
    "gradient_checkpointing",
}


@dataclasses.dataclass(frozen=True)
class Run:
    """A recipe, its tasks, and the directory where it is carried out."""

    recipe: GlueRecipe
    tasks: Mapping[str, Task]
    folder: Path

    @property
    def trained_tasks(self) -> tuple[str, ...]:
        """Return the tasks that have a head of their own."""
        return tuple(name for name, task in self.tasks.items() if task.head_of is None)

    @property
    def soft_tasks(self) -> tuple[str, ...]:
        """Return the tasks that get soft labels: by teachers, then imported."""
        teachers = self.recipe.teachers
        return (*(teachers.tasks if teachers else ()), *self.recipe.soft_labels.imported)


@dataclasses.dataclass(frozen=True)
class Unit:
    """One artefact of a run.

    place: path in the run directory. settings: the recipe's keys that shape it, and their values.
    needs: places of artefacts that it is made from. build: makes it in an empty folder (or one
    that holds an interrupted attempt) and returns notes for the manifest. all_processes: whether
    every process takes part, or only the main one. rows, steps: count the rows that it reads and
    the updates that it trains; None where there are none, or before rows of the hub are fetched.
    disk: bytes that it will take, where that is much. version: raised when the code changes what
    is made, so that older artefacts become stale. scratch: folders in it that only serve to go on
    after a stop; they are removed when all else is on disk.
    """

    stage: str
    place: str
    settings: Mapping[str, Any]
    needs: tuple[str, ...]
    build: Callable[[Path], dict[str, Any]]
    all_processes: bool = False
    rows: Callable[[], int | None] = lambda: None
    steps: Callable[[], int | None] = lambda: None
    disk: int = 0
    version: int = 1
    scratch: tuple[str, ...] = ()


def flat(prefix: str, settings: BaseModel, leave_out: set[str] | None = None) -> dict[str, Any]:
    """Return a part of the recipe as "prefix.key.key": value."""
    return flat_mapping(prefix, settings.model_dump(mode="json"), leave_out or set())


def flat_mapping(prefix: str, content: Mapping[str, Any], leave_out: set[str]) -> dict[str, Any]:
    """Return nested mappings as "prefix.key.key": value."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        if key in leave_out:
            continue
        if isinstance(value, Mapping):
            found |= flat_mapping(f"{prefix}.{key}", value, set())
        else:
            found[f"{prefix}.{key}"] = value
    return found


def losses_settings(prefix: str, losses: EncoderLosses) -> dict[str, Any]:
    """Return those of the losses between encoders that count."""
    found: dict[str, Any] = {}
    for name, settings in losses.weighted().items():
        found |= flat(f"{prefix}.{name}", settings)
    return found


def training_settings(settings: TrainingSettings, tasks: Collection[str]) -> dict[str, Any]:
    """Return those of the loop's settings that can change what is learnt of some tasks."""
    found = flat("training", settings, {*_WITHOUT_EFFECT, "batch_size", "sampling", "task_weights"})
    by_epoch = settings.sampling.strategy == "annealed" and len(tasks) > 1
    if settings.max_steps is not None and not by_epoch:
        del found["training.epochs"]  # they do not count
    for key in ("betas", "eps", "max_steps"):  # came later: what was made without them is as it was
        if found[f"training.{key}"] is None:
            del found[f"training.{key}"]
    if settings.max_tokens is None:
        found["training.batch_size"] = settings.rows_per_update  # auto is the paper's
    if len(tasks) > 1:
        found |= flat("training.sampling", settings.sampling)
    elif settings.sampling.strategy == "round_robin":  # else one task has its batches in one order
        found["training.sampling.strategy"] = "round_robin"
    weights = {task: settings.task_weights.get(task, 1.0) for task in tasks}
    return found | {f"training.task_weights.{task}": weight for task, weight in weights.items()}


def encoder_settings(prefix: str, encoder: EncoderSettings) -> dict[str, Any]:
    """Return an encoder's settings, with the hashes of its files for its whereabouts."""
    files = encoder_sha256(encoder.encoder)
    return {
        **{f"{prefix} file {name}": sha256 for name, sha256 in files.items()},
        f"{prefix}.dropout": encoder.dropout,
        f"{prefix}.layers": encoder.layers,
    }
