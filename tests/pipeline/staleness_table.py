"""The table of what each key of a recipe, and of a task's card, reruns by itself.

A row: the rooms of the run directory whose artefacts are made from the key's value, and values to
try. What is made from these artefacts follows; see `tests/pipeline/staleness.py`.
"""

from __future__ import annotations

from typing import NamedTuple, get_args

from mtkd.recipe import EncoderLosses


class Row(NamedTuple):
    """What one key shapes.

    rooms: names in `staleness.ROOMS`; a room of one candidate or task only where the key is of that
    one. values: as after "key=" on the command line; with "=" in it a whole override, in the same
    part of the recipe.
    """

    rooms: frozenset[str]
    values: tuple[str, ...]


def row(rooms: str, *values: str) -> Row:
    found = (part.strip() for part in rooms.split(","))
    return Row(frozenset(each for name in found for each in _GROUPS.get(name, [name])), values)


_GROUPS = {
    "": [],
    "trained together": ["refined", "fold refined", "student", "baseline"],
    "trainings": ["refined", "fold refined", "teacher", "fold teacher",
                  "student", "baseline", "finetuned"],
    "of teachers": ["refined", "fold refined", "teacher", "fold teacher"],
    "of students": ["student", "baseline", "finetuned"],
    "predictions": ["comparison", "teacher predictions", "fold predictions",
                    "unlabelled predictions", "student predictions"],
    "rows": ["prepared", "test", "unlabelled"],
    "labelled rows": ["prepared", "test"],
    "stores": ["soft labels", "imported"],
}  # fmt: skip

TRAINING = {
    "epochs": row("trainings", "2", "3"),
    "max_steps": row("trainings", "3", "null"),
    "batch_size": row("trainings", "8", "32", "auto"),
    "accumulation": row("", "2"),
    "gradient_checkpointing": row("", "true"),
    "learning_rate": row("trainings", "0.002", "5e-5"),
    "optimizer": row("trainings", "adamw"),
    "betas": row("trainings", "[0.9, 0.98]"),
    "eps": row("trainings", "1e-6"),
    "weight_decay": row("trainings", "0.1"),
    "schedule": row("trainings", "cosine", "constant"),
    "warmup": row("trainings", "0.5"),
    "clip_norm": row("trainings", "0.5", "null"),
    "layer_decay": row("trainings", "0.9"),
    "precision": row("trainings, predictions", "bf16", "auto"),
    # one task by itself has the same batches in every strategy, in another order in round_robin
    "sampling.strategy": row("trainings", "sqrt", "round_robin"),
    "sampling.sampling_exponent": row(
        "trained together", "sampling={strategy: power, sampling_exponent: 0.5}",
        "sampling={strategy: power, sampling_exponent: 0.2}"),
    "sampling.main": row(
        "trained together", "sampling={strategy: main_auxiliary, main: rte, ratio: 1.0}",
        "sampling={strategy: main_auxiliary, main: stsb, ratio: 1.0}"),
    "sampling.ratio": row(
        "trained together", "sampling={strategy: main_auxiliary, main: rte, ratio: 2.0}",
        "sampling={strategy: main_auxiliary, main: rte, ratio: 1.0}"),
    "max_tokens": row("trainings", "512", "null"),
    "bucket_batches": row("trainings", "4"),
    "unpad": row("trainings", "true"),
    "compile": row("trainings", "off"),
    "task_weights.{task}": row("trainings", "task_weights={rte: 2.0}", "task_weights={rte: 1.0}",
                               "task_weights={stsb: 0.5}"),
    "keep": row("trainings", "last"),
    "keep_best_per_task": row("trainings", "true"),
    "early_stopping": row("trainings", "1", "null"),
    "trackers": row("", "[tensorboard]"),
    "save_every": row("", "3 steps"),
    "log_every": row("", "3"),
}  # fmt: skip

# parts of a recipe with keys of `TRAINING`, a later one over an earlier one; and their rooms
PARTS = {
    "training": row("trainings, predictions").rooms,
    "teachers.training": row("of teachers").rooms,
    "teachers.finetune_training": row("teacher, fold teacher").rooms,
    "student.training": row("of students").rooms,
    "student.finetune_training": row("finetuned").rooms,
}
NOT_OVERRIDDEN = {"precision", "compile", "trackers", "save_every", "log_every"}

HEAD = {
    "type": ("linear", "san"),
    "pooling": ("first", "mean"),
    "dropout": ("0.3",),
    "steps": ("3",),
    "step_dropout": ("0.3",),
}

LOSS_KEYS = [
    (loss, key)
    for loss, field in EncoderLosses.model_fields.items()
    for kind in get_args(field.annotation)
    if kind is not type(None)
    for key in kind.model_fields
]

RECIPE = {
    "name": row(""),  # of another name is another run
    "description": row("", "other"),
    "kind": row(""),  # there is one
    "seed": row("trainings, labelled rows", "2", "3"),  # of rows: where max_rows draws them
    "tasks": row("refined, fold refined, evaluation, submission", "[rte,stsb]", "[stsb,rte,mnli]"),
    "data.source": row("rows", "data={source: sample, max_length: 48}"),
    "data.root": row("prepared", "{same}", "{changed}"),  # of the files under it, the bytes count
    "data.max_rows.train": row("prepared", "20", "null"),
    "data.max_rows.dev": row("prepared", "20"),
    "data.max_rows.test": row("test", "10"),
    "data.max_length": row("rows", "32", "40"),
    # in the columns of stores and tables; the candidate's own artefacts are at other places
    "teachers.candidates.{candidate}.name": row("selection, soft labels, evaluation", "renamed"),
    "teachers.candidates.{candidate}.encoder": row("of teachers", "{cased}", "{uncased}"),
    "teachers.candidates.{candidate}.dropout": row("of teachers", "0.25", "null"),
    "teachers.candidates.{candidate}.layers": row("of teachers", "1"),
    # who is taught by folds is held out where all tasks are refined together
    "teachers.tasks": row("fold refined", "[rte]", "[stsb]", "[stsb,rte]", "[rte,cola]"),
    "teachers.refine": row("", "true", "false"),
    "teachers.select.by": row("selection", "[rte]", "[stsb,mnli]"),
    "teachers.select.keep": row("selection", "1", "3"),
    "teachers.select.method": row("selection", "greedy", "best"),
    **{f"teachers.heads.{{task}}.{key}": row("of teachers", *v) for key, v in HEAD.items()},
    "soft_labels.temperature": row("stores", "2", "1"),
    "soft_labels.combine": row("stores", "logits", "dev_score", "fitted"),
    "soft_labels.calibrate": row("stores", "true"),
    "soft_labels.folds": row("soft labels, fold refined, fold teacher, fold predictions",
                             "2", "3", "null"),
    "soft_labels.unlabelled.files.{task}": row("unlabelled", "{other pairs}", "{copied pairs}"),
    "soft_labels.unlabelled.threshold": row("student", "0.6"),
    "soft_labels.unlabelled.max_per_class": row("student", "5"),
    "soft_labels.unlabelled.weight": row("student", "0.5", "confidence"),
    "soft_labels.imported.{task}": row("imported", "{other store}", "{copied store}"),
    "student.encoder": row("of students", "{cased}", "{uncased}"),
    "student.dropout": row("of students", "0.25"),
    "student.layers": row("of students", "1"),
    "student.tasks": row("student, baseline", "[rte,stsb]", "[stsb]", "[stsb,rte]"),
    "student.distill_weight": row("student", "0.3", "0.5", "null"),
    "student.anneal": row("student", "true"),
    **{f"student.heads.{{task}}.{key}": row("of students", *v) for key, v in HEAD.items()},
    "student.finetune": row("submission", "true", "false"),  # says which model is submitted
    # these need another run, or a teacher of the student's vocabulary: tests/stages/test_live.py
    "student.init": row("of students"),
    **{f"student.losses.{loss}.{key}": row("student") for loss, key in LOSS_KEYS},
    **{f"student.intermediate.{key}": row("student") for key in TRAINING
       if key not in NOT_OVERRIDDEN},
    "baseline": row("", "true", "false"),
    "submission.model": row("submission", "student", "baseline", "null"),
    "submission.fill_missing": row("submission", "majority"),
    **{
        f"{part}.{key}": Row(each.rooms & rooms, each.values)
        for part, rooms in PARTS.items()
        for key, each in TRAINING.items()
        if part == "training" or key not in NOT_OVERRIDDEN
    },
}  # fmt: skip

# what else a key changes, by the values that others are then cut to, or by their meaning nothing
BESIDES = {
    "tasks": row("student, baseline, selection").rooms,
    "teachers.tasks": row("student").rooms,  # distill_weight; threshold and the like
    "soft_labels.unlabelled.files.{task}": row("student").rooms,
    "student.tasks": row("submission").rooms,  # whose files are those of the tasks predicted
}

CARD = {
    "name": row(""),  # of another name is another task
    "title": row("", "Other"),
    "kind": row("rows"),  # cannot change alone
    "texts": row("rows", "[two, one]"),
    "label": row("rows", "other"),
    "labels": row("rows", "[dog, cat]"),
    "file_labels": row("rows", "['1', '0']"),
    "positive": row("rows", "dog"),
    "range": row("rows"),  # of regression
    "metrics": row("trainings, evaluation", "[matthews]", "[accuracy, matthews]"),
    "malformed_rows": row("rows", "drop"),
    "files.train.path": row("", "copy.tsv"),  # the same bytes
    "files.train.header": row("prepared"),  # cannot change alone
    "files.train.columns": row("prepared", "{one: two, two: one}"),
    "files.train.id": row("prepared", "other"),
    "files.train.labelled": row("prepared"),  # train has to be
    "files.unlabelled.path": row("", "copied_pairs.tsv"),
    "files.unlabelled.columns": row("unlabelled", "{one: two, two: one}"),
    "files.test.id": row("test", "other"),
    "hub": row("rows", "{path: some/where, splits: {test_more: test}}"),
    "submission": row(
        "submission",
        "[{split: test, file: Own.tsv, rows: 8, labels: [dog, cat], majority: dog}]",
        "[{split: test, file: Other.tsv, rows: 8, labels: [cat, dog], majority: dog}]",
    ),
    "head": row("trainings", "{dropout: 0.3}", "{type: san}"),
    "head_of": row("rows"),  # of a task without rows to train on
}
