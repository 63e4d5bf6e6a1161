"""submit: the test files' predictions as the GLUE server takes them."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

from mtkd.examples import has_split
from mtkd.stages.evaluate import models
from mtkd.stages.places import predictions_place
from mtkd.stages.predictions import read_predictions
from mtkd.stages.prepare import test_splits
from mtkd.stages.unit import Run, Unit
from mtkd.submission import write_submission, zip_submission
from mtkd.task import Task, load_task, task_names

STAGE = "submit"
FOLDER = "submission"

log = logging.getLogger(__name__)


def submitted_model(run: Run) -> str:
    """Return the model that makes the submission: the fine-tuned student where there is one."""
    if run.recipe.submission.model is not None:
        return run.recipe.submission.model
    return "student_finetuned" if run.recipe.student.finetune else "student"


def units(run: Run) -> list[Unit]:
    """Return the folder of files, then the zip; nothing where no task has a test file."""
    model = submitted_model(run)
    tasks = [name for name in models(run)[model] if _has_test(run, name)]
    if not tasks:  # a card of one's own has no `submission`; predictions/ holds its test rows
        return []
    fill = run.recipe.submission.fill_missing
    files = Unit(
        stage=STAGE,
        place=FOLDER,
        settings={
            "submission.model": model,
            "submission.fill_missing": fill,
            **{
                f"submission {name}": [part.model_dump(mode="json") for part in card.submission]
                for name, card in _cards(run, tasks).items()
            },
        },
        needs=tuple(predictions_place(model, task) for task in tasks),
        build=partial(_write, run, model, tasks),
    )
    archive = Unit(STAGE, f"{FOLDER}.zip", {}, (FOLDER,), partial(_zip, run))
    return [files, archive]


def _has_test(run: Run, name: str) -> bool:
    task = run.tasks[name]
    return any(has_split(task, part.split, run.recipe.data) for part in task.submission)


def _write(run: Run, model: str, tasks: list[str], folder: Path) -> dict[str, Any]:
    predicted = {}
    for name in tasks:
        there = test_splits(run, run.tasks[name])
        for part in run.tasks[name].submission:
            if part.split in there:
                guids, logits = read_predictions(run, model, name, part.split)
                predicted[part.file] = ([guid.split("/", 2)[2] for guid in guids], logits)
                if len(guids) != part.rows:
                    log.warning("%s: %d rows, the server expects %d: a partial submission",
                                part.file, len(guids), part.rows)  # fmt: skip
    fill = run.recipe.submission.fill_missing == "majority"
    written = write_submission(folder, predicted, _cards(run, tasks).values(), fill)
    log.info("submission by %s: %s", model, ", ".join(path.name for path in written))
    return {"model": model, "files": sorted(path.name for path in written)}


def _cards(run: Run, tasks: list[str]) -> dict[str, Task]:
    """Return the cards of the files to be written: those predicted, and those filled up."""
    fill = run.recipe.submission.fill_missing == "majority"
    cards = {name: load_task(name) for name in task_names()} if fill else {}
    return cards | {name: run.tasks[name] for name in tasks}


def _zip(run: Run, file: Path) -> dict[str, Any]:
    zip_submission(run.folder / FOLDER, file)
    return {}
