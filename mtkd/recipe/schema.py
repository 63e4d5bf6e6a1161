"""The recipe of a `glue` pipeline as typed, frozen models: each key, its default, its range.

Defaults are those of the papers (MT-DNN, arXiv 1901.11504; MT-DNN_KD, arXiv 1904.09482), so that
a recipe lists only where it departs from them. Unknown keys are refused.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from mtkd.recipe.names import Line, Place, folder_key, name_fault, twins
from mtkd.recipe.save_every import SaveInterval, check_save_every, parse_save_every

_RESERVED = (
    "majority",
    "ensemble",
    "student",
    "baseline",
    "student_finetuned",
    "baseline_finetuned",
)


def _folder_name(name: str) -> str:
    if fault := name_fault(name):
        raise ValueError(f"a name becomes a folder: {fault}")
    if folder_key(name) in _RESERVED:
        raise ValueError(f"'{name}' is one of mtkd's own names ({', '.join(sorted(_RESERVED))})")
    return name


Name = Annotated[str, Field(min_length=1), AfterValidator(_folder_name)]
Share = Annotated[float, Field(ge=0, le=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Switch = Annotated[  # YAML reads a bare on or off as true or false
    Literal["auto", "on", "off"],
    BeforeValidator(lambda value: ("on" if value else "off") if isinstance(value, bool) else value),
]

PAPER_BATCH = 32  # rows an update in MT-DNN


class Settings(BaseModel):
    """Base of all recipe parts: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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


class Sampling(Settings):
    """How many batches each task gives to an epoch, and in which order.

    proportional: every batch of every task once, shuffled (Algorithm 1 of MT-DNN); sqrt and power:
    as many batches in all, shared out by size**exponent; annealed: the exponent falls from 1 to
    `exponent` over the epochs (Stickland and Murray 2019); round_robin: the same number for each,
    one task after another; main_auxiliary: all of `main`, and `ratio` times as many of the others.
    """

    strategy: Literal[
        "proportional", "sqrt", "power", "annealed", "round_robin", "main_auxiliary"
    ] = "proportional"
    sampling_exponent: Share | None = None
    main: Line | None = None
    ratio: Positive | None = None

    @model_validator(mode="after")
    def _options_fit_the_strategy(self) -> Sampling:
        wants = {"power": {"sampling_exponent"}, "annealed": {"sampling_exponent"},
                 "main_auxiliary": {"main", "ratio"}}.get(self.strategy, set())  # fmt: skip
        given = {k for k in ("sampling_exponent", "main", "ratio") if getattr(self, k) is not None}
        if wants - given:
            raise ValueError(f"strategy {self.strategy} needs {', '.join(sorted(wants - given))}")
        if given - wants:
            unused = ", ".join(sorted(given - wants))
            raise ValueError(f"strategy {self.strategy} does not use {unused}; leave it out")
        return self


class TrainingSettings(Settings):
    """The loop's settings; the defaults are the paper's."""

    epochs: Count = 5
    # rows an update, over all processes; auto: the paper's, in as many pieces as memory asks for
    batch_size: Count | Literal["auto"] = PAPER_BATCH
    accumulation: Count = 1  # pieces a batch is cut into: the same gradient, less memory
    gradient_checkpointing: bool = False  # layers run twice: the same gradient, less memory
    learning_rate: Positive = 5e-5
    optimizer: Literal["adamax", "adamw"] = "adamax"
    weight_decay: Annotated[float, Field(ge=0)] = 0.01  # decoupled
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: Share = 0.1  # share of all steps
    clip_norm: Positive | None = 1.0
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0  # learning rate, a layer down
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    sampling: Sampling = Sampling()
    max_tokens: Count | None = None  # an update, padding included, in place of batch_size
    bucket_batches: Annotated[int, Field(ge=0)] = 64  # batches sorted by length together; 0: none
    unpad: bool = False  # rows one after another with no padding, by flash attention on a GPU
    compile: Switch = "auto"  # the encoder, by torch.compile
    task_weights: dict[str, Annotated[float, Field(ge=0)]] = {}
    keep: Literal["best", "last"] = "best"  # by mean dev score
    keep_best_per_task: bool = False
    early_stopping: Count | None = None  # epochs without a better mean dev score
    trackers: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ()
    # between saves of a resumable state: "N steps" or "N minutes"
    save_every: Annotated[str, BeforeValidator(check_save_every)] = "5 minutes"
    log_every: Count = 10  # steps

    @property
    def rows_per_update(self) -> int:
        """Return `batch_size` as a number, which does not depend on the machine's memory."""
        return PAPER_BATCH if self.batch_size == "auto" else self.batch_size

    @property
    def save_interval(self) -> SaveInterval:
        """Return `save_every` as numbers."""
        return parse_save_every(self.save_every)


class TrainingOverrides(Settings):
    """Any of the training settings, replaced for one part of the pipeline."""

    epochs: Count | None = None
    batch_size: Count | Literal["auto"] | None = None
    accumulation: Count | None = None
    gradient_checkpointing: bool | None = None
    learning_rate: Positive | None = None
    optimizer: Literal["adamax", "adamw"] | None = None
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    schedule: Literal["linear", "cosine", "constant"] | None = None
    warmup: Share | None = None
    clip_norm: Positive | None = None
    layer_decay: Annotated[float, Field(gt=0, le=1)] | None = None
    sampling: Sampling | None = None
    max_tokens: Count | None = None
    unpad: bool | None = None
    bucket_batches: Annotated[int, Field(ge=0)] | None = None
    task_weights: dict[str, Annotated[float, Field(ge=0)]] | None = None
    keep: Literal["best", "last"] | None = None
    keep_best_per_task: bool | None = None
    early_stopping: Count | None = None


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
    heads: dict[Line, HeadSettings] = {}
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

    files: dict[Line, Place] = {}  # task -> file with its text columns; else the card's
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
    imported: dict[Line, Place] = {}  # task -> store made by `mtkd import-soft-labels`, or a folder


class Student(EncoderSettings):
    """The multi-task student, and the baseline that differs from it by gold labels alone."""

    # trained together; None: all of the recipe's tasks
    tasks: Annotated[tuple[Line, ...], Field(min_length=1)] | None = None
    distill_weight: Share | None = None  # share of the soft loss; None means 0.5, unless annealed
    anneal: bool = False  # BAM: the share of the soft loss falls from 1 to 0
    heads: dict[Line, HeadSettings] = {}
    training: TrainingOverrides = TrainingOverrides()
    finetune: bool = False  # afterwards, one copy a task
    finetune_training: TrainingOverrides = TrainingOverrides()  # on top of `training`

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


_NULLABLE = {"clip_norm", "early_stopping", "max_tokens"}


def with_overrides(base: TrainingSettings, *overrides: TrainingOverrides) -> TrainingSettings:
    """Return `base` with what each of `overrides` sets, the last one winning.

    A null sets only what can be null in `base`; elsewhere it means: as in `base`.
    """
    changes: dict[str, object] = {}
    for override in overrides:
        if override.batch_size is not None:
            changes["max_tokens"] = None  # a size given later counts, not the bound before it
        for key in override.model_fields_set:
            value = getattr(override, key)
            if value is not None or key in _NULLABLE:
                changes[key] = value
    return base.model_copy(update=changes)
