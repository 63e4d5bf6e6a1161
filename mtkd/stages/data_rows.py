"""The rows that soft labels are joined to: from a run, the sample data, or a glue_data folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mtkd.errors import DataError, RunDirError, did_you_mean
from mtkd.examples import Fingerprint, read_examples
from mtkd.recipe import RUN_RECIPE, DataSettings, load_glue_recipe
from mtkd.stages.compressed import with_compressed
from mtkd.stages.places import part_of, prepared_place
from mtkd.stages.prepared import open_prepared
from mtkd.stages.unit import Run
from mtkd.task import Task


@dataclasses.dataclass(frozen=True)
class DataRows:
    """A split without its texts.

    gold: (rows,), class index or score, NaN where unknown. fingerprint: of guid, texts and label.
    """

    guids: pa.StringArray
    gold: NDArray[np.float64]
    fingerprint: str


def data_rows(task: Task, split: str, data: str) -> DataRows:
    """Return the rows of a split, in the order of the data.

    Args: data: a run directory, whose student's rows are taken; a glue_data folder; or "sample".
    Raises: RunDirError: no such place, or no such rows in the run. DataError: no such split.
    """
    folder = Path(data)
    if data == "sample":
        return _from_files(task, split, DataSettings(source="sample"))
    if (folder / RUN_RECIPE).is_file():
        return _from_run(task, split, folder)
    if not folder.is_dir():
        raise RunDirError(f"--data {data}: expected a run directory, a glue_data folder or "
                          "'sample', found no folder")  # fmt: skip
    return _from_files(task, split, DataSettings(root=data))


def _from_files(task: Task, split: str, settings: DataSettings) -> DataRows:
    guids: list[str] = []
    gold: list[float] = []
    fingerprint = Fingerprint()
    for example in read_examples(task, split, settings):
        fingerprint.add(example)
        guids.append(example.guid)
        gold.append(np.nan if example.label is None else float(example.label))
    return DataRows(pa.array(guids, pa.string()), np.array(gold), fingerprint.hexdigest())


def _from_run(task: Task, split: str, folder: Path) -> DataRows:
    recipe = with_compressed(load_glue_recipe(str(folder)), folder)
    encoder, part = recipe.student.encoder, part_of(split)
    place = prepared_place(encoder, task.name, part)
    if not (folder / place).is_dir():
        raise RunDirError(f"--data {folder}: no rows of {task.name} in {place}; its recipe has the "
                          f"tasks {', '.join(recipe.tasks)}: mtkd prepare {folder}")  # fmt: skip
    run = Run(recipe, {}, folder)
    prepared = open_prepared(run, encoder, task.name, part)
    if split not in prepared.splits:
        raise DataError(f"--data {folder}: {task.name} has no split {split!r} there, but "
                        f"{', '.join(prepared.splits)}{did_you_mean(split, prepared.splits)}"
                        )  # fmt: skip
    rows = prepared.split(split)
    return DataRows(pa.array(rows.guids, pa.string()), rows.labels, prepared.fingerprint(split))
