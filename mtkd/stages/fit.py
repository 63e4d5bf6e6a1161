"""One model trained on one or more tasks: what refine, teach and distill have in common."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtkd.artifacts import file_sha256
from mtkd.batching import steps_per_epoch
from mtkd.devices import start_accelerator
from mtkd.encoders import load_tokenizer, weights_size
from mtkd.errors import EncoderError
from mtkd.examples import Fold
from mtkd.inference import predict
from mtkd.metrics import is_constant, score, task_score
from mtkd.model import MultiTaskModel, add_head, build_model
from mtkd.recipe import EncoderSettings, HeadSettings, TrainingSettings, derive_seed
from mtkd.stages.prepare import (
    Prepared,
    count_rows,
    open_prepared,
    prepared_place,
    unlabelled_place,
    unlabelled_splits,
)
from mtkd.stages.rows import is_held_out, soft_labels_place, training_task
from mtkd.stages.unit import Run, Unit, encoder_settings, flat, flat_mapping, training_settings
from mtkd.training import Evaluation, Objective, train
from mtkd.training.best import BestWeights

if TYPE_CHECKING:
    from accelerate import Accelerator

GOLD_ONLY = Objective(distill_weight=0.0)

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Fit:
    """A model to be trained.

    place: where it goes in the run directory. start: place of a trained model to go on from, whose
    heads are kept where it has them; None starts from the pretrained encoder. soft: tasks that
    have soft labels. seed_names: what beside the recipe's seed sets random numbers apart. fold: the
    part of the train rows of tasks with teachers that is left out. unlabelled: of `soft`, the tasks
    with rows that have soft labels only.
    """

    stage: str
    place: str
    encoder: EncoderSettings
    tasks: tuple[str, ...]
    heads: Mapping[str, HeadSettings]
    training: TrainingSettings
    seed_names: tuple[str, ...]
    start: str | None = None
    objective: Objective = GOLD_ONLY
    soft: tuple[str, ...] = ()
    fold: Fold | None = None
    unlabelled: tuple[str, ...] = ()


def fit_unit(run: Run, fit: Fit) -> Unit:
    """Return the unit that trains a model and writes it in transformers' form."""
    settings: dict[str, Any] = {
        "seed": run.recipe.seed,
        "seed names": list(fit.seed_names),
        "tasks": sorted(fit.tasks),
        **encoder_settings("encoder", fit.encoder),
        **training_settings(fit.training, fit.tasks),
    }
    for name in sorted(fit.tasks):
        task, head = run.tasks[name], fit.heads.get(name, HeadSettings())
        own = {**task.head.model_dump(), **head.model_dump(exclude_none=True)}
        settings |= flat_mapping(f"head {name}", own, set())
        settings[f"metrics {name}"] = list(task.metrics)  # they choose the epoch that is kept
    if fit.soft:
        settings["distill_weight"] = fit.objective.distill_weight
        settings["anneal"] = fit.objective.anneal
    if fit.fold is not None:
        settings["fold"] = str(fit.fold)
        settings["held out"] = [t for t in sorted(fit.tasks) if is_held_out(run, t, fit.fold)]
    if fit.unlabelled and run.recipe.soft_labels.unlabelled is not None:
        settings |= flat("soft_labels.unlabelled", run.recipe.soft_labels.unlabelled, {"files"})
    copies = 1 + len(fit.tasks) * fit.training.keep_best_per_task
    return Unit(
        stage=fit.stage,
        place=fit.place,
        settings=settings,
        needs=(
            *(prepared_place(fit.encoder.encoder, task) for task in sorted(fit.tasks)),
            *(unlabelled_place(fit.encoder.encoder, task) for task in sorted(fit.unlabelled)),
            *(soft_labels_place(task) for task in sorted(fit.soft)),
            *([fit.start] if fit.start else []),
        ),
        build=partial(_build, run, fit),
        all_processes=True,
        steps=partial(_steps, run, fit),
        disk=weights_size(fit.encoder.encoder) * copies,
        scratch=("checkpoint", ".checkpoint.partial", ".checkpoint.old", "kept"),
        version=2,  # dropout draws other numbers than in version 1, batches are packed otherwise
    )


def _build(run: Run, fit: Fit, folder: Path) -> dict[str, Any]:
    accelerator = start_accelerator(fit.training.precision, fit.training.trackers, folder)
    seed = derive_seed(run.recipe.seed, *fit.seed_names)
    prepared = {task: open_prepared(run, fit.encoder.encoder, task) for task in fit.tasks}
    model = _start(run, fit, seed)
    progress = train(
        model,
        [
            training_task(
                run,
                fit.encoder.encoder,
                name,
                ranked=model.head_configs[name]["type"] == "ranking",
                temperature=fit.objective.temperature if name in fit.soft else None,
                unlabelled=name in fit.unlabelled,
                fold=fit.fold,
            )
            for name in fit.tasks
        ],
        fit.training,
        fit.objective,
        accelerator,
        seed=seed,
        folder=folder,
        evaluate=_dev_evaluation(run, fit, prepared, accelerator),
        title=fit.place,
    )
    best = max(progress.history, key=lambda entry: entry["mean"])
    chosen = best if fit.training.keep == "best" else progress.history[-1]
    if accelerator.is_main_process:
        tokenizer = load_tokenizer(fit.encoder.encoder)
        model.cpu().save(folder, tokenizer)
        if fit.training.keep_best_per_task:
            kept = BestWeights(folder / "kept", accelerator)
            for name in fit.tasks:
                kept.load_into(model, name)
                model.save(folder / "best" / name, tokenizer)
        content = {"chosen": chosen, "history": progress.history}
        (folder / "metrics.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        log.info("%s: keeps epoch %d, mean dev score %.4f", fit.place, chosen["epoch"] + 1,
                 chosen["mean"])  # fmt: skip
        for split in chosen["constant"]:
            log.warning("%s: says the same of every row of %s: it has not learnt that task; try "
                        "another learning rate or more epochs", fit.place, split)  # fmt: skip
    accelerator.wait_for_everyone()
    return {
        "weights_sha256": file_sha256(folder / "model.safetensors"),
        "mean_dev_score": chosen["mean"],
        "steps": progress.step,
        "precision": accelerator.mixed_precision,
        "device": str(accelerator.device),
        "memory": progress.memory,
    }


def _start(run: Run, fit: Fit, seed: int) -> MultiTaskModel:
    tasks = {name: run.tasks[name] for name in fit.tasks}
    if fit.start is None:
        return build_model(fit.encoder, tasks, fit.heads, seed)
    model = MultiTaskModel.load(run.folder / fit.start)
    for name, task in tasks.items():
        if name in model.heads and model.head_configs[name]["labels"] != list(task.labels):
            raise EncoderError(f"{fit.start}: its head {name} has another label order than the "
                               "card; train it anew with this card")  # fmt: skip
    for name in list(model.heads):
        if name not in tasks:
            del model.heads[name], model.head_configs[name]
    for name in sorted(set(tasks) - set(model.heads)):
        add_head(model, tasks[name], fit.heads.get(name), derive_seed(seed, "head", name))
    return model


def _dev_evaluation(
    run: Run, fit: Fit, prepared: Mapping[str, Prepared], accelerator: Accelerator
) -> Callable[[MultiTaskModel], Evaluation]:
    splits = {
        (name, split): prepared[name].split(split)
        for name in sorted(fit.tasks)
        for split in run.tasks[name].dev_splits
    }

    def evaluate(model: MultiTaskModel) -> Evaluation:
        metrics: dict[str, dict[str, float]] = {}
        scores: dict[str, list[float]] = {}
        constant: list[str] = []
        for (name, split), rows in splits.items():
            task = run.tasks[name]
            logits = predict(model, name, rows, accelerator)
            found = score(task, logits, rows.labels, split)
            metrics[f"{name}/{split}"] = found
            scores.setdefault(name, []).append(task_score(task, found))
            if is_constant(task, logits):
                constant.append(f"{name}/{split}")
        result = Evaluation(
            {n: sum(s) / len(s) for n, s in scores.items()}, metrics, tuple(constant)
        )
        log.info("%s: mean dev score %.4f", fit.place, result.mean)
        return result

    return evaluate


def _steps(run: Run, fit: Fit) -> int | None:
    """Return the number of updates; None by `max_tokens`, or before rows of the hub are fetched."""
    if fit.training.max_tokens is not None:  # it depends on the lengths, and on the order
        return None
    rows = {}
    for name in fit.tasks:
        (split,) = run.tasks[name].train_splits
        splits = [split]
        if name in fit.unlabelled:  # at most: which of them are trusted is not known yet
            splits += unlabelled_splits(run, name)
        counts = [count_rows(run, fit.encoder.encoder, run.tasks[name], s) for s in splits]
        if None in counts:
            return None
        rows[name] = sum(count or 0 for count in counts)
        if is_held_out(run, name, fit.fold):
            assert fit.fold is not None
            rows[name] -= rows[name] // fit.fold.of  # about: parts differ by a few rows
    return sum(steps_per_epoch(rows, fit.training))
