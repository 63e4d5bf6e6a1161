"""The recipe of a `glue` pipeline as typed, frozen models: each key, its default, its range.

Defaults are those of the papers (MT-DNN, arXiv 1901.11504; MT-DNN_KD, arXiv 1904.09482), so that
a recipe lists only where it departs from them. Unknown keys are refused.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtkd.recipe.encoder_losses import OF_EMBEDDINGS, OF_MASKED_WORDS, EncoderLosses
from mtkd.recipe.fields import Count, Dropout, Name, Positive, Settings, Share
from mtkd.recipe.names import Line, Place, folder_key, twins
from mtkd.recipe.training import TrainingOverrides, TrainingSettings, with_overrides

_OF_SCORES = {"keep", "early_stopping", "keep_best_per_task"}
COMPRESSED = "compressed"  # stands for the encoder that `student.init` will make


class HeadSettings(Settings):
    """A task's head. What is left out comes from the task's card."""

    type: Literal["linear", "san", "ranking"] | None = None
    pooling: Literal["first", "mean"] | None = None
    dropout: Dropout | None = None
    steps: Count | None = None  # SAN's reasoning steps
    step_dropout: Dropout | None = None  # SAN's share of whole steps dropped in training


class MaxRows(Settings):
    """Caps on rows a split, for trials."""

    train: Count | None = None
    dev: Count | None = None
    test: Count | None = None


class DataSettings(Settings):
    """Where rows come from and how long they may be."""

    source: Literal["sample", "directory", "hub"] = "directory"
    root: Place | None = None
    max_rows: MaxRows = MaxRows()
    max_length: Annotated[int, Field(ge=8)] = 512  # word pieces

    @model_validator(mode="after")
    def _root_goes_with_directory(self) -> DataSettings:
        if self.root is not None and self.source != "directory":
            raise ValueError(f"root is read only with source=directory, not source={self.source}")
        return self


class EncoderSettings(Settings):
    """An encoder and how it is set up before training."""

    encoder: Place  # hub id, directory or bundled:NAME
    dropout: Dropout | None = None  # of the encoder's layers; None: as in its own config
    layers: Count | None = None  # keep the first so many layers; None: all


class Candidate(EncoderSettings):
    """One candidate for a teacher."""

    name: Name


class Select(Settings):
    """Which candidates become teachers: `keep` of them, by dev score on the tasks `by`.

    best: those with the highest mean score (the paper). greedy: one after another, whichever makes
    the ensemble's score highest (Caruana et al. 2004), so that teachers that differ are preferred.
    """

    by: tuple[Line, ...] = ()
    keep: Count = 3
    method: Literal["best", "greedy"] = "best"


class Teachers(Settings):
    """Candidates, how they are trained and chosen, and the tasks that get soft labels."""

    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1)]
    tasks: Annotated[tuple[Line, ...], Field(min_length=1)]
    refine: bool = True
    select: Select = Select()
    heads: dict[Line, HeadSettings] = Field(default_factory=dict)
    training: TrainingOverrides = TrainingOverrides()
    finetune_training: TrainingOverrides = TrainingOverrides()  # of `teach`, on top of `training`

    @model_validator(mode="after")
    def _names_are_unique_and_enough(self) -> Teachers:
        names = [c.name for c in self.candidates]
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"two candidates are named {', '.join(twice)}")
        if alike := twins(names):
            raise ValueError(f"candidates {', '.join(alike)} would share a folder on macOS or "
                             "Windows; name them apart")  # fmt: skip
        if own := sorted(name for name in names if folder_key(name) in {"folds", "select"}):
            raise ValueError(f"a candidate cannot be named {', '.join(own)}: predictions/ has a "
                             "folder of that name for something else")  # fmt: skip
        if self.select.keep > len(names):
            raise ValueError(f"select.keep is {self.select.keep}, of {len(names)} candidates")
        if self.select.keep < len(names) and not self.select.by:
            raise ValueError("select.by names no task, so nothing says which candidates to keep")
        return self


class Unlabelled(Settings):
    """How rows without gold labels are trained on: by their soft labels alone, whatever the share.

    Probabilities are those at `soft_labels.temperature`. For regression only `files` and a number
    as `weight` mean anything.
    """

    files: dict[Line, Place] = Field(
        default_factory=dict
    )  # task -> file with its text columns; else the card's
    threshold: Share = 0.0  # rows whose most probable class is less probable are left out
    max_per_class: Count | None = None  # the most confident rows of each class, this many
    weight: Positive | Literal["confidence"] = 1.0  # of a row's loss; its largest probability


class SoftLabels(Settings):
    """How teachers' logits become soft labels, and which rows get some.

    combine: mean of probabilities (the paper); logits: of logits; dev_score: mean weighted by dev
    scores; fitted: log-linear, weights fitted on dev; trimmed: without each class's highest and
    lowest teacher.
    """

    temperature: Positive = 1.0  # T in the softmax of teachers and student
    combine: Literal["mean", "logits", "dev_score", "fitted", "trimmed"] = "mean"
    calibrate: bool = False  # fit each teacher's own temperature on dev, before combining
    folds: Annotated[int, Field(ge=2, le=100)] | None = None  # score train rows out of fold
    unlabelled: Unlabelled | None = None
    imported: dict[Line, Place] = Field(
        default_factory=dict
    )  # task -> store made by `mtkd import-soft-labels`, or a folder


class Student(EncoderSettings):
    """The multi-task student, and the baseline that differs from it by gold labels alone.

    init: in place of `encoder`, a compress recipe or its run, whose student this one starts from.
    losses: beside those on labels, or before them where `intermediate` is given, as in TinyBERT.
    """

    encoder: Place = COMPRESSED
    init: Place | None = None
    # trained together; None: all of the recipe's tasks
    tasks: Annotated[tuple[Line, ...], Field(min_length=1)] | None = None
    distill_weight: Share | None = None  # share of the soft loss; None means 0.5, unless annealed
    anneal: bool = False  # BAM: the share of the soft loss falls from 1 to 0
    heads: dict[Line, HeadSettings] = Field(default_factory=dict)
    training: TrainingOverrides = TrainingOverrides()
    finetune: bool = False  # afterwards, one copy a task
    finetune_training: TrainingOverrides = TrainingOverrides()  # on top of `training`
    losses: EncoderLosses | None = None  # between encoders, on tasks with teachers
    intermediate: TrainingOverrides | None = None  # a training on `losses` alone, before

    @model_validator(mode="after")
    def _losses_are_of_tasks(self) -> Student:
        weighted = self.losses.weighted() if self.losses is not None else {}
        if self.intermediate is not None and not weighted:
            raise ValueError("intermediate is a training on losses alone: give losses, or leave "
                             "it out")  # fmt: skip
        chosen = self.intermediate.model_fields_set if self.intermediate is not None else set()
        if unused := sorted(chosen & _OF_SCORES):
            raise ValueError(f"intermediate.{unused[0]}: dev scores say nothing of heads that do "
                             "not learn, and the last weights are kept; leave it out")  # fmt: skip
        if words := sorted(set(weighted) & OF_MASKED_WORDS):
            raise ValueError(f"losses: {', '.join(words)}: no word is masked in the rows of a "
                             "task; leave it out, or train on it by a compress recipe"
                             )  # fmt: skip
        if between := sorted(set(weighted) & OF_EMBEDDINGS):
            raise ValueError(f"losses: {', '.join(between)}: is between the texts of a corpus; "
                             "leave it out, or train on it by a compress recipe")  # fmt: skip
        return self

    @model_validator(mode="after")
    def _encoder_or_init(self) -> Student:
        if ("encoder" in self.model_fields_set) == (self.init is not None):
            raise ValueError("name what the student starts from: encoder, or init for one that is "
                             "made by a compress recipe, and not both")  # fmt: skip
        return self

    @model_validator(mode="after")
    def _weight_or_annealing(self) -> Student:
        if self.anneal and self.distill_weight is not None:
            raise ValueError("anneal moves the share of the soft loss by itself: leave out "
                             "distill_weight, or set anneal=false")  # fmt: skip
        return self


class SubmissionSettings(Settings):
    """Which model makes the submission, and what fills the gaps."""

    model: Literal["student", "student_finetuned", "baseline", "baseline_finetuned"] | None = None
    fill_missing: Literal["none", "majority"] = "none"


class GlueRecipe(Settings):
    """A whole pipeline: data, teachers, soft labels, student, submission."""

    name: Name
    description: str = ""
    kind: Literal["glue"] = "glue"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    tasks: Annotated[tuple[Place, ...], Field(min_length=1)]  # names of cards, or paths to cards
    data: DataSettings = DataSettings()
    teachers: Teachers | None = None
    soft_labels: SoftLabels = SoftLabels()
    student: Student
    baseline: bool = False
    training: TrainingSettings = TrainingSettings()
    submission: SubmissionSettings = SubmissionSettings()

    @model_validator(mode="after")
    def _soft_labels_fit_the_teachers(self) -> GlueRecipe:
        soft, teachers = self.soft_labels, self.teachers
        if teachers is None and soft.folds is not None:
            raise ValueError("soft_labels.folds: without teachers there is nothing to hold out "
                             "rows from; add teachers, or leave folds out")  # fmt: skip
        parts = {"student.training": self.student.training}
        if self.student.intermediate is not None:
            parts["student.intermediate"] = self.student.intermediate
        for key, part in parts.items():
            if self.student.losses is not None and with_overrides(self.training, part).unpad:
                key = "training" if part.unpad is None else key
                raise ValueError(f"{key}.unpad: student.losses read padded batches; leave out one "
                                 "of the two")  # fmt: skip
        if teachers is None and self.student.losses is not None:
            raise ValueError("student.losses: are between encoders, and without teachers there is "
                             "none to learn from; add teachers, or leave losses out"
                             )  # fmt: skip
        if teachers is None and soft.unlabelled is not None and not soft.imported:
            raise ValueError("soft_labels.unlabelled: without teachers or imported soft labels "
                             "these rows have no label at all")  # fmt: skip
        if soft.unlabelled is not None and self.student.distill_weight == 0:
            raise ValueError("soft_labels.unlabelled: with student.distill_weight=0 nothing is "
                             "learnt from soft labels, and these rows have no other")  # fmt: skip
        if teachers is not None and soft.combine == "trimmed" and teachers.select.keep < 3:
            raise ValueError("soft_labels.combine: trimmed leaves out two teachers of each class, "
                             f"of {teachers.select.keep}; keep 3 or more")  # fmt: skip
        return self
