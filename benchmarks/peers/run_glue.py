"""transformers' Trainer on GLUE rows: as its example run_glue sets it up, and at its best.

Trainer knows one model of one task, so a multi-task epoch is one epoch for each task, one Trainer
after another, their times added up. Building models and datasets is not counted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from benchmarks.machine import clock
from benchmarks.rows import ENCODER, MAX_LENGTH, TaskRows

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn
    from transformers import Trainer

BATCH = 32  # mtkd's; run_glue's own default is 8, which is slower still


def train_epoch(rows: Mapping[str, TaskRows], *, best: bool) -> float:
    """Return the seconds of one epoch on each task."""
    seconds = 0.0
    for task_rows in rows.values():
        dataset = task_rows.dataset()
        with tempfile.TemporaryDirectory() as folder:
            trainer = _trainer(classifier(task_rows), folder, **_training(best))
            trainer.train_dataset = dataset if best else pad_to_max(dataset)
            trainer.data_collator = _collator(best)
            started = clock()
            trainer.train()
            seconds += clock() - started
    return seconds


def scorers(rows: Mapping[str, TaskRows], *, best: bool) -> Callable[[], float]:
    """Return what measures the seconds in which a teacher predicts every task's rows."""
    datasets = {name: r.dataset() for name, r in rows.items()}
    with tempfile.TemporaryDirectory() as folder:  # predicting writes nothing
        trainers = {
            name: _trainer(classifier(r), folder, **_scoring(best)) for name, r in rows.items()
        }

    def predict() -> float:
        started = clock()
        for name, dataset in datasets.items():
            trainers[name].predict(dataset)
        return clock() - started

    return predict


def classifier(rows: TaskRows) -> nn.Module:
    """Return the encoder with transformers' own head for a task."""
    from transformers import AutoModelForSequenceClassification

    from mtkd.encoders import encoder_folder, quiet_transformers

    quiet_transformers()
    return AutoModelForSequenceClassification.from_pretrained(
        encoder_folder(ENCODER), num_labels=rows.task.num_outputs, dtype="float32"
    )


def pad_to_max(dataset: Dataset) -> Dataset:
    """Return the rows padded to the maximum length, as `--pad_to_max_length`, the default."""
    from datasets import Dataset

    columns = {name: list(dataset[name]) for name in dataset.column_names if name != "length"}
    for name in columns.keys() - {"label"}:
        columns[name] = [row + [0] * (MAX_LENGTH - len(row)) for row in columns[name]]
    return Dataset.from_dict(columns)


def _collator(best: bool) -> Any:
    from transformers import DataCollatorWithPadding, default_data_collator

    from mtkd.encoders import load_tokenizer

    return DataCollatorWithPadding(load_tokenizer(ENCODER)) if best else default_data_collator


def _training(best: bool) -> dict[str, Any]:
    own: dict[str, Any] = {"per_device_train_batch_size": BATCH, "num_train_epochs": 1}
    if best:
        own |= {"train_sampling_strategy": "group_by_length", "length_column_name": "length"}
        own |= {"bf16": _has_bf16()}
    return own


def _scoring(best: bool) -> dict[str, Any]:
    return {"per_device_eval_batch_size": 64, "bf16": _has_bf16()} if best else {}


def _trainer(model: nn.Module, folder: str, **own: Any) -> Trainer:
    import torch
    from transformers import PrinterCallback, Trainer, TrainingArguments

    arguments = TrainingArguments(
        output_dir=folder,
        save_strategy="no",
        report_to=[],
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_num_workers=0,
        dataloader_pin_memory=torch.cuda.is_available(),
        use_cpu=not torch.cuda.is_available(),
        seed=1,
        **own,
    )
    trainer = Trainer(model, arguments, data_collator=_collator(True))
    trainer.remove_callback(PrinterCallback)
    return trainer


def _has_bf16() -> bool:
    """Return whether mtkd would compute in bf16 here; the peer then does too."""
    from mtkd.devices import resolve_precision

    return resolve_precision("auto") == "bf16"
