"""A task as its card describes it: files, columns, labels, metrics, submission and head.

The checks between keys are field validators that read the keys above them, so that every fault of
a card is found in one go. A check is left out where a key that it needs is itself at fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator

from mtkd.recipe.fields import Count, Settings
from mtkd.recipe.schema import HeadSettings
from mtkd.task import checks
from mtkd.task.checks import head_fault
from mtkd.task.names import InnerPath, Position, SplitName, SubmissionName, TaskName, Text

Metric = Literal["accuracy", "f1", "matthews", "pearson", "spearman"]
DEFAULT_HEAD = HeadSettings(type="linear", pooling="first", dropout=0.1, steps=5, step_dropout=0.1)


class TaskFile(Settings):
    """One split in a file: TSV without quoting (GLUE's own), CSV, JSON lines or Parquet."""

    path: InnerPath  # in data.root, or beside a card of one's own
    header: bool = True  # False: a TSV or CSV file without one, its columns given by position
    columns: dict[str, Text | Position] = Field(default_factory=dict)  # what this file calls them
    id: Text | Position | None = None  # the index column; None: the 0-based row number
    labelled: bool = True  # False: the file has no label column

    def column(self, name: str) -> str | int:
        """Return what this file calls the card's column `name`."""
        return self.columns.get(name, name)


class HubSource(Settings):
    """The same task as a data set on the Hugging Face hub."""

    path: Text
    config: Text | None = None
    revision: Text | None = None
    splits: Annotated[dict[SplitName, Text], Field(min_length=1)]  # our split -> the hub's
    columns: dict[str, Text] = Field(default_factory=dict)  # what the hub calls them
    id: Text | None = None  # None: the 0-based row number

    def column(self, name: str) -> str:
        """Return what the hub calls the card's column `name`."""
        return self.columns.get(name, name)


class SubmissionFile(Settings):
    """One file of a GLUE submission."""

    split: SplitName
    file: SubmissionName
    rows: Count  # of the official test set
    labels: tuple[Text, ...] = ()  # what the server wants, in the order of the task's labels
    majority: Text | None = None  # fills the file where no model predicts the task


class Task(Settings):
    """A task: data, not code. The built-in cards stand in `tasks/`."""

    name: TaskName
    title: Text
    kind: Literal["classification", "regression"]
    texts: Annotated[tuple[Text, ...], Field(min_length=1, max_length=2)]
    label: Text = "label"
    labels: tuple[Text, ...] = Field((), validate_default=True)
    file_labels: tuple[Text, ...] | None = None  # how files write `labels`; None: the same
    positive: Text | None = None  # of F1 and the ranking head
    range: tuple[float, float] | None = Field(None, validate_default=True)  # of regression's scores
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)]
    malformed_rows: Literal["error", "drop"] = "error"  # test rows are never dropped
    files: dict[SplitName, TaskFile] = Field(default_factory=dict)
    hub: HubSource | None = None
    submission: tuple[SubmissionFile, ...] = ()
    head: HeadSettings = DEFAULT_HEAD  # always complete: the default fills what the card leaves out
    head_of: Text | None = Field(None, validate_default=True)  # the task whose head predicts this

    _folder: Path | None = PrivateAttr(None)

    @property
    def folder(self) -> Path | None:
        """The folder that `files` are relative to; None for a built-in card: data.root."""
        return self._folder

    @property
    def num_outputs(self) -> int:
        """Width of the head: the number of labels, or 1 for regression."""
        return len(self.labels) or 1

    @property
    def splits(self) -> tuple[str, ...]:
        """All splits, in the card's order: those of the files, then what only the hub has."""
        return _splits(self.files, self.hub)

    @property
    def train_splits(self) -> tuple[str, ...]:
        """Splits to train on."""
        return tuple(split for split in self.splits if split.startswith("train"))

    @property
    def dev_splits(self) -> tuple[str, ...]:
        """Splits to score on."""
        return tuple(split for split in self.splits if split.startswith("dev"))

    @property
    def test_splits(self) -> tuple[str, ...]:
        """Splits to predict for a submission."""
        return tuple(split for split in self.splits if split.startswith("test"))

    @property
    def unlabelled_splits(self) -> tuple[str, ...]:
        """Splits without gold labels that a student may learn from, by soft labels alone."""
        return tuple(split for split in self.splits if split.startswith("unlabelled"))

    @field_validator("texts")
    @classmethod
    def _check_texts(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        checks.refuse(checks.repeated(texts, "the column"))
        return texts

    @field_validator("label")
    @classmethod
    def _check_label(cls, label: str, info: ValidationInfo) -> str:
        if label in info.data.get("texts", ()):
            raise ValueError(f"{label!r} is one of texts")
        return label

    @field_validator("labels")
    @classmethod
    def _check_labels(cls, labels: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if "kind" in info.data:
            checks.refuse(checks.labels_fault(info.data["kind"], labels))
        return labels

    @field_validator("file_labels")
    @classmethod
    def _check_file_labels(cls, file_labels: Any, info: ValidationInfo) -> Any:
        if file_labels is not None and "labels" in info.data:
            count = len(info.data["labels"])
            if len(file_labels) != count:
                raise ValueError(f"expected {count}, one a label, found {len(file_labels)}")
            checks.refuse(checks.repeated(file_labels, "the label"))
        return file_labels

    @field_validator("positive")
    @classmethod
    def _check_positive(cls, positive: str | None, info: ValidationInfo) -> str | None:
        labels = info.data.get("labels")
        if positive is not None and labels is not None and positive not in labels:
            raise ValueError(checks.unknown(positive, labels, "one of labels"))
        return positive

    @field_validator("range")
    @classmethod
    def _check_range(cls, bounds: Any, info: ValidationInfo) -> Any:
        if "kind" in info.data:
            checks.refuse(checks.range_fault(info.data["kind"], bounds))
        return bounds

    @field_validator("metrics")
    @classmethod
    def _check_metrics(cls, metrics: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if {"kind", "positive"} <= info.data.keys():
            has_positive = info.data["positive"] is not None
            checks.refuse(checks.metrics_fault(info.data["kind"], metrics, has_positive))
        return metrics

    @field_validator("files")
    @classmethod
    def _check_files(cls, files: dict[str, TaskFile], info: ValidationInfo) -> dict[str, TaskFile]:
        if not {"texts", "label"} <= info.data.keys():
            return files
        texts, label = info.data["texts"], info.data["label"]
        faults = [checks.twins_fault(files, "the splits")]
        for split, file in files.items():
            wanted = [file.column(name) for name in texts]
            wanted += [file.column(label)] if file.labelled else []
            wanted += [] if file.id is None else [file.id]
            found = [
                checks.columns_fault(file.columns, (*texts, label)),
                checks.layout_fault(file.path, file.header, wanted),
            ]
            if split.startswith(("train", "dev")) and not file.labelled:
                found.append("labelled: train and dev need gold labels")
            faults += [f"{split}: {fault}" for fault in found if fault]
        checks.refuse(*faults)
        return files

    @field_validator("hub")
    @classmethod
    def _check_hub(cls, hub: HubSource | None, info: ValidationInfo) -> HubSource | None:
        if hub is not None and {"texts", "label"} <= info.data.keys():
            columns = (*info.data["texts"], info.data["label"])
            checks.refuse(
                checks.columns_fault(hub.columns, columns),
                checks.twins_fault(_splits(info.data.get("files", {}), hub), "the splits"),
            )
        return hub

    @field_validator("submission")
    @classmethod
    def _check_submission(
        cls, submission: tuple[SubmissionFile, ...], info: ValidationInfo
    ) -> tuple[SubmissionFile, ...]:
        if not {"labels", "range", "files", "hub"} <= info.data.keys():
            return submission
        splits = _splits(info.data["files"], info.data["hub"])
        count = len(info.data["labels"])
        names = [part.file for part in submission]
        faults = [checks.repeated(names, "the file"), checks.twins_fault(names, "the files")]
        for part in submission:
            found = []
            if part.split not in splits:
                found.append(checks.unknown(part.split, splits, "one of the card's splits"))
            if len(part.labels) != count:
                found.append(f"labels: expected {count}, one a label, found {len(part.labels)}")
            if part.majority is not None:
                fault = checks.majority_fault(part.majority, part.labels, info.data["range"])
                found += [f"majority: {fault}"] if fault else []
            faults += [f"{part.file}: {fault}" for fault in found]
        checks.refuse(*faults)
        return submission

    @field_validator("head")
    @classmethod
    def _complete_head(cls, head: HeadSettings, info: ValidationInfo) -> HeadSettings:
        head = DEFAULT_HEAD.model_copy(update=head.model_dump(exclude_none=True))
        if {"texts", "labels", "positive"} <= info.data.keys():
            given = (info.data["texts"], info.data["labels"], info.data["positive"])
            checks.refuse(head_fault(head, *given))
        return head

    @field_validator("head_of")
    @classmethod
    def _check_head_of(cls, head_of: str | None, info: ValidationInfo) -> str | None:
        if head_of is not None and head_of == info.data.get("name"):
            raise ValueError("names another task, whose head predicts this one")
        if head_of is None and {"files", "hub"} <= info.data.keys():
            kinds = {split.split("_")[0] for split in _splits(info.data["files"], info.data["hub"])}
            if lacking := [kind for kind in ("train", "dev") if kind not in kinds]:
                raise ValueError(
                    f"no {' and no '.join(lacking)} split in files or hub; a task without is "
                    "predicted by the head of another: name that task here"
                )
        return head_of


def _splits(files: Mapping[str, TaskFile], hub: HubSource | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*files, *(hub.splits if hub else ())]))
