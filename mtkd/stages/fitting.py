"""Training one model: from prepared rows to weights in transformers' form."""

from __future__ import annotations

import json
import logging
import os.path
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtkd.artifacts import file_sha256
from mtkd.devices import start_accelerator
from mtkd.encoders import check_weights, load_tokenizer
from mtkd.errors import EncoderError
from mtkd.inference import predict
from mtkd.metrics import is_constant, score, task_score
from mtkd.model import MultiTaskModel, add_head, build_model
from mtkd.recipe import EncoderSettings, derive_seed
from mtkd.stages.fit import Fit
from mtkd.stages.live import with_live_teachers
from mtkd.stages.live_dev import dev_losses
from mtkd.stages.prepared import Prepared, open_prepared
from mtkd.stages.rows import training_task
from mtkd.stages.unit import Run
from mtkd.training import Evaluation, Objective, train
from mtkd.training.best import BestWeights
from mtkd.training.live import StudentOfEncoders

if TYPE_CHECKING:
    from accelerate import Accelerator

log = logging.getLogger(__name__)


def train_fit(run: Run, fit: Fit, folder: Path) -> dict[str, Any]:
    """Train a model, write it with its metrics, and return notes for its manifest."""
    accelerator = start_accelerator(fit.training.precision, fit.training.trackers, folder)
    seed = derive_seed(run.recipe.seed, *fit.seed_names)
    prepared = {task: open_prepared(run, fit.encoder.encoder, task) for task in fit.tasks}
    model = _start(run, fit, seed)
    tasks = [
        training_task(
            run,
            fit.encoder.encoder,
            name,
            ranked=model.head_configs[name]["type"] == "ranking",
            temperature=fit.temperature if name in fit.soft else None,
            unlabelled=name in fit.unlabelled,
            fold=fit.fold,
        )
        for name in fit.tasks
    ]
    objective = Objective(fit.distill_weight, fit.anneal, fit.temperature)
    evaluate = _dev_evaluation(run, fit, prepared, accelerator)

    how: Any = {"accelerator": accelerator, "seed": seed, "folder": folder, "title": fit.place}
    trained: MultiTaskModel | StudentOfEncoders = model
    if fit.live:
        trained, goal = with_live_teachers(run, fit, model, tasks, objective, accelerator.device)
        by_losses = dev_losses(run, fit, goal, accelerator) if fit.losses_alone else None
        progress = train(trained, tasks, fit.training, goal, **how,
                         evaluate=by_losses or (lambda own: evaluate(own.model)))  # fmt: skip
    else:
        progress = train(model, tasks, fit.training, objective, **how, evaluate=evaluate)
    best = max(progress.history, key=lambda entry: entry["mean"])
    chosen = best if fit.training.keep == "best" else progress.history[-1]
    if accelerator.is_main_process:
        tokenizer = load_tokenizer(fit.encoder.encoder)
        model.cpu().save(folder, tokenizer)
        if fit.training.keep_best_per_task:
            kept = BestWeights(folder / "kept", accelerator, progress.kept)
            for name in fit.tasks:
                kept.load_into(trained, name)
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
    if fit.weights is not None:
        place = os.path.normpath(run.folder / fit.weights)  # it may stand beside the folder
        own = EncoderSettings(encoder=place, dropout=fit.encoder.dropout)
        return build_model(own, tasks, fit.heads, seed)
    if fit.start is None:
        check_weights(fit.encoder.encoder)
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
