"""evaluation/sizes.json: what a smaller student saves beside its teacher, measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtkd.stages.distill import shared_tasks
from mtkd.stages.places import teacher_place
from mtkd.stages.prepared import open_prepared
from mtkd.stages.selection import kept_candidates
from mtkd.stages.unit import Run

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from mtkd.model import MultiTaskModel

FILE = "sizes.json"
LEGEND = (
    "Encoders without heads, nor poolers that no head reads, on dev rows of middle length, in "
    "float32. ms: median of a batch of 1 and of 32 rows, taken in turn; rows/s: 32 rows in that "
    "time; times as fast: as the slowest of these."
)


def write_sizes(run: Run, folder: Path) -> None:
    """Measure the student's encoder, and those of kept teachers of the same vocabulary."""
    import torch

    from mtkd.devices import start_accelerator
    from mtkd.model import MultiTaskModel
    from mtkd.speed import forward_times

    device = start_accelerator(run.recipe.training.precision).device
    places = {"student": "student"}
    if run.recipe.teachers is not None:
        task = run.recipe.teachers.tasks[0]
        places |= {c.name: teacher_place(c.name, task) for c in kept_candidates(run)}
    encoders = {name: _read_part(MultiTaskModel.load(run.folder / place))
                for name, place in places.items()}  # fmt: skip
    words = encoders["student"].config.vocab_size
    encoders = {name: e for name, e in encoders.items() if e.config.vocab_size == words}
    name = sorted(shared_tasks(run))[0]
    rows = open_prepared(run, run.recipe.student.encoder, name).split(run.tasks[name].dev_splits[0])
    content = {
        "threads": torch.get_num_threads(),
        "device": str(device),
        "parameters": {name: encoder.num_parameters() for name, encoder in encoders.items()},
        "milliseconds": forward_times(encoders, rows, device),
    }
    (folder / FILE).write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def _read_part(model: MultiTaskModel) -> PreTrainedModel:
    """Return a model's encoder, without a pooler where no head reads it."""
    heads = model.head_configs.values()
    if all(head["type"] == "san" or head["pooling"] == "mean" for head in heads):
        model.encoder.add_module("pooler", None)
    return model.encoder


def read_sizes(folder: Path) -> dict[str, Any] | None:
    """Return what a run's evaluation measured; None where it has measured nothing."""
    path = folder / FILE
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def size_cells(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table."""
    header = ["encoder", "parameters", "ms, 1", "ms, 32", "rows/s, 32", "times as fast, 1"]
    times = content["milliseconds"]
    slowest = max(taken["1"] for taken in times.values())
    rows = [
        [
            name,
            f"{count / 1e6:.1f}M",
            f"{times[name]['1']:.1f}",
            f"{times[name]['32']:.1f}",
            f"{32_000 / times[name]['32']:.0f}",
            f"{slowest / times[name]['1']:.2f}",
        ]
        for name, count in content["parameters"].items()
    ]
    return header, rows
