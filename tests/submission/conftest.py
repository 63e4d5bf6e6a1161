"""Tasks with test sets of a few rows, and a right submission for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtkd.submission import write_submission
from mtkd.task import Task, load_task

ROWS = 6


def shrunk(name: str) -> Task:
    """A built-in task whose test sets have ROWS rows."""
    task = load_task(name)
    files = tuple(file.model_copy(update={"rows": ROWS}) for file in task.submission)
    return task.model_copy(update={"submission": files})


@pytest.fixture(scope="session")
def tasks() -> tuple[Task, ...]:
    return tuple(shrunk(name) for name in ("rte", "stsb", "mnli"))


@pytest.fixture
def folder(tmp_path: Path, tasks: tuple[Task, ...]) -> Path:
    """RTE.tsv, STS-B.tsv, MNLI-m.tsv and MNLI-mm.tsv, all right."""
    generator = np.random.default_rng(3)
    predictions = {
        file.file: ([str(i) for i in range(ROWS)], generator.normal(2, 1, (ROWS, task.num_outputs)))
        for task in tasks
        for file in task.submission
    }
    write_submission(tmp_path / "sent", predictions, tasks)
    return tmp_path / "sent"
