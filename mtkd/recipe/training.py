"""The training loop's settings, and what parts of a pipeline put in their place.

Defaults are those of MT-DNN (arXiv 1901.11504).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from mtkd.recipe.fields import Count, Positive, Settings, Share, Switch
from mtkd.recipe.names import Line
from mtkd.recipe.save_every import SaveInterval, check_save_every, parse_save_every

Betas = tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]]
PAPER_BATCH = 32  # rows an update in MT-DNN


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
    max_steps: Count | None = None  # updates, however many epochs that takes; in place of epochs
    # rows an update, over all processes; auto: the paper's, in as many pieces as memory asks for
    batch_size: Count | Literal["auto"] = PAPER_BATCH
    accumulation: Count = 1  # pieces a batch is cut into: the same gradient, less memory
    gradient_checkpointing: bool = False  # layers run twice: the same gradient, less memory
    learning_rate: Positive = 5e-5
    optimizer: Literal["adamax", "adamw"] = "adamax"
    betas: Betas | None = None  # decay of the optimiser's two means; None: (0.9, 0.999)
    eps: Positive | None = None  # that it adds to what it divides by; None: 1e-8
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
    task_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
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
    max_steps: Count | None = None
    batch_size: Count | Literal["auto"] | None = None
    accumulation: Count | None = None
    gradient_checkpointing: bool | None = None
    learning_rate: Positive | None = None
    optimizer: Literal["adamax", "adamw"] | None = None
    betas: Betas | None = None
    eps: Positive | None = None
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


ONLY_TASKS = {
    "sampling": "is for several tasks, and a corpus is one",
    "task_weights": "is for several tasks, and a corpus is one",
    "keep_best_per_task": "is for several tasks, and a corpus is one",
    "layer_decay": "is for heads on a trained encoder",
    "unpad": "is not for losses between encoders, which read padded batches",
}
"""Settings that mean nothing to an encoder that learns from text, and why."""

_NULLABLE = {"clip_norm", "early_stopping", "max_tokens", "max_steps"}


def with_overrides(base: TrainingSettings, *overrides: TrainingOverrides) -> TrainingSettings:
    """Return `base` with what each of `overrides` sets, the last one winning.

    A null sets only what can be null in `base`; elsewhere it means: as in `base`.
    """
    changes: dict[str, object] = {}
    for override in overrides:
        if override.batch_size is not None:
            changes["max_tokens"] = None  # a size given later counts, not the bound before it
        if override.epochs is not None:
            changes["max_steps"] = None  # likewise
        for key in override.model_fields_set:
            value = getattr(override, key)
            if value is not None or key in _NULLABLE:
                changes[key] = value
    return base.model_copy(update=changes)
