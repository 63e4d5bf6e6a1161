"""evaluate: teachers, their ensemble, baseline and student side by side on dev."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path
from typing import Any

from mtkd.artifacts import check_files, read_manifest
from mtkd.metrics import is_constant, majority, score
from mtkd.soft_labels import as_logits, join, read_store
from mtkd.stages.distill import shared_tasks
from mtkd.stages.places import finetuned_place, predictions_place, prepared_place, soft_labels_place
from mtkd.stages.predictions import Scoring, logits_of, predictions_unit
from mtkd.stages.prepared import open_prepared
from mtkd.stages.selection import kept_candidates
from mtkd.stages.sizes import write_sizes
from mtkd.stages.table import markdown_table
from mtkd.stages.unit import Run, Unit

STAGE = "evaluate"
PLACE = "evaluation"
KINDS = ("dev", "test")

log = logging.getLogger(__name__)


def models(run: Run) -> dict[str, dict[str, str]]:
    """Return the trained students: model -> task -> place of the weights that predict it."""
    found: dict[str, dict[str, str]] = {}
    for model in ("baseline", "student"):
        if model == "baseline" and not run.recipe.baseline:
            continue
        found[model] = _with_diagnostics(run, dict.fromkeys(shared_tasks(run), model))
        if run.recipe.student.finetune:
            places = {task: finetuned_place(model, task) for task in run.trained_tasks}
            found[f"{model}_finetuned"] = _with_diagnostics(run, places)
    return found


def units(run: Run) -> list[Unit]:
    """Return the students' predictions for dev and test, then the evaluation."""
    encoder = run.recipe.student.encoder
    found = [
        predictions_unit(run, STAGE, Scoring(model, place, encoder, task, KINDS))
        for model, places in models(run).items()
        for task, place in places.items()
    ]
    needs = [unit.place for unit in found]
    settings: dict[str, Any] = {
        f"metrics {name}": list(run.tasks[name].metrics) for name in run.trained_tasks
    }
    if run.recipe.teachers is not None:
        kept = [candidate.name for candidate in kept_candidates(run)]
        settings["teachers"] = kept  # in the order of their columns
        for task in run.recipe.teachers.tasks:
            needs += [predictions_place(name, task) for name in kept]
    if run.recipe.student.init is not None:
        settings["sizes"] = True  # are measured, of the student and of teachers
    needs += [soft_labels_place(task) for task in run.soft_tasks]
    needs += [prepared_place(encoder, task) for task in run.trained_tasks]
    evaluation = Unit(
        stage=STAGE,
        place=PLACE,
        settings=settings,
        needs=tuple(needs),
        build=partial(_build, run),
    )
    return [*found, evaluation]


def read_metrics(folder: Path) -> str:
    """Return what a run's evaluation found, as JSON.

    Raises: RunDirError: it is damaged.
    """
    place = folder / PLACE
    if (manifest := read_manifest(place)) is not None:
        check_files(place, manifest)
    return (place / "metrics.json").read_text("utf-8")


def _with_diagnostics(run: Run, places: dict[str, str]) -> dict[str, str]:
    """Add the tasks that another task's head predicts (AX by MNLI's)."""
    found = dict(places)
    for name, task in run.tasks.items():
        if task.head_of in places:
            found[name] = places[task.head_of]
    return found


def _build(run: Run, folder: Path) -> dict[str, Any]:
    results: dict[str, dict[str, dict[str, float]]] = {"majority": {}}
    columns = ["majority"]
    if run.recipe.teachers is not None:
        columns += [c.name for c in kept_candidates(run)]
    if run.soft_tasks:
        columns.append("ensemble")
    columns += list(models(run))
    results |= {column: {} for column in columns}
    rows: dict[str, int] = {}
    for name in sorted(run.trained_tasks):  # whatever their order in the recipe
        for split in run.tasks[name].dev_splits:
            rows[f"{name}/{split}"] = _score_split(run, name, split, results)
    content = {"rows": rows, "models": results}
    text = json.dumps(content, indent=2) + "\n"
    (folder / "metrics.json").write_text(text, "utf-8")
    (folder / "table.md").write_text(markdown_table(content, run.tasks), "utf-8")
    if run.recipe.student.init is not None:
        write_sizes(run, folder)
    return {"models": columns}


def _score_split(
    run: Run, name: str, split: str, results: dict[str, dict[str, dict[str, float]]]
) -> int:
    """Score all models on one dev split into `results`; return the number of rows."""
    task, key = run.tasks[name], f"{name}/{split}"
    prepared = open_prepared(run, run.recipe.student.encoder, name)
    data = prepared.split(split)
    train = prepared.split(task.train_splits[0]).labels
    results["majority"][key] = score(task, majority(task, train, len(data)), data.labels, split)
    found = {model: name for model, places in models(run).items() if name in places}
    if run.recipe.teachers is not None and name in run.recipe.teachers.tasks:
        found = {c.name: name for c in kept_candidates(run)} | found
    path = run.folder / soft_labels_place(name) / f"{split}.parquet"
    if name in run.soft_tasks and path.is_file():  # imported ones may be for train alone
        store = read_store(path)
        temperature = run.recipe.soft_labels.temperature
        soft = join(store, task, data.guids, prepared.fingerprint(split), temperature)
        logits = as_logits(task, soft.targets)
        if not soft.known.all():  # of an imported store; a score of some rows compares with none
            log.warning("%s: %d of %d rows have no soft label, so the ensemble has no score there",
                        key, int((~soft.known).sum()), len(data))  # fmt: skip
        else:
            results["ensemble"][key] = score(task, logits, data.labels, split)
            if is_constant(task, logits):
                log.warning("the ensemble says the same of every row of %s", key)
    for model in found:
        logits = logits_of(run, model, name, split, data)
        results[model][key] = score(task, logits, data.labels, split)
        if is_constant(task, logits):
            log.warning("%s says the same of every row of %s", model, key)
    return len(data)
