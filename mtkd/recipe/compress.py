"""The recipe of a `compress` pipeline: an encoder made smaller, and distilled on plain text."""

from __future__ import annotations

from itertools import pairwise
from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from mtkd.recipe.encoder_losses import OF_EMBEDDINGS, EmbeddingSettings, EncoderLosses
from mtkd.recipe.fields import Count, Dropout, Name, Settings, Share
from mtkd.recipe.names import Line, Place
from mtkd.recipe.schema import DataSettings, EncoderSettings, MaxRows
from mtkd.recipe.training import (
    ONLY_TASKS,
    TrainingOverrides,
    TrainingSettings,
    with_overrides,
)
from mtkd.shown import shown


class SmallerEncoder(Settings):
    """What the student is made of.

    keep: which of the teacher's layers, where `layers` is a number: spread evenly, first and last
    among them (of 12, six: 0, 2, 4, 7, 9, 11, as DistilBERT's), the first, or the last.
    architecture: of transformers; auto takes DistilBERT's where it can say the same, else the
    teacher's own. official: as DistilBERT was released, without the token type in the position
    embeddings and with a new transform before the vocabulary. start: random takes the shape alone.
    hidden_size: a smaller width, of whole attention heads; see `mtkd.distillation.narrower`.
    """

    layers: Count | Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
    keep: Literal["spread", "first", "last"] = "spread"
    architecture: Literal["auto", "distilbert", "same"] = "auto"
    official: bool = False
    hidden_size: Count | None = None  # None: the teacher's width
    start: Literal["teacher", "random"] = "teacher"
    dropout: Dropout | None = None  # None: the teacher's

    @model_validator(mode="after")
    def _keep_goes_with_a_number(self) -> SmallerEncoder:
        if isinstance(self.layers, tuple) and self.keep != "spread":
            raise ValueError(f"keep: {self.keep} says which layers where layers is a number, and "
                             "it is a list of them; leave it out")  # fmt: skip
        return self

    @field_validator("layers")
    @classmethod
    def _layers_ascend(cls, layers: int | tuple[int, ...]) -> int | tuple[int, ...]:
        if isinstance(layers, tuple) and any(later <= before for before, later in pairwise(layers)):
            raise ValueError("expected numbers that ascend, counted from 0, each once; found "
                             f"{list(layers)}")  # fmt: skip
        return layers


class HubTexts(Settings):
    """A data set of the hub."""

    path: Line
    config: Line | None = None
    revision: Line | None = None
    split: Line = "train"


TEXT_FILES = (".txt", ".jsonl", ".json", ".parquet")


def _of_known_kind(path: str) -> str:
    if PurePath(path).suffix not in TEXT_FILES:
        raise ValueError(f"expected a file of texts, whose name ends in {', '.join(TEXT_FILES)}, "
                         f"found {shown(path)}")  # fmt: skip
    return path


class CorpusSettings(Settings):
    """Texts, from any of these places, and how they are cut to rows.

    unit: what a row is made of: a text, one of its sentences, or full blocks of texts one after
    another. What is longer than `max_length` makes several rows.
    """

    # .txt with a text a line, .jsonl and .json with an object a line, .parquet
    files: tuple[Annotated[Place, AfterValidator(_of_known_kind)], ...] = ()
    hub: HubTexts | None = None
    column: Line = "text"  # of .jsonl, .parquet and the hub
    tasks: tuple[Place, ...] = ()  # names of cards, or paths to cards: the texts of train rows
    data: DataSettings = DataSettings()  # where those are
    unit: Literal["text", "sentence", "block"] = "text"
    max_length: Annotated[int, Field(ge=8)] = 128  # word pieces of a row, specials included
    min_tokens: Count = 5  # shorter rows are left out
    max_unknown: Share = 0.5  # rows with a larger share of unknown words are left out
    dev_share: Annotated[float, Field(gt=0, lt=1)] = 0.02  # of texts, held out

    @model_validator(mode="after")
    def _some_place(self) -> CorpusSettings:
        if not (self.files or self.hub or self.tasks):
            raise ValueError("name files, hub or tasks: there is no text otherwise")
        return self

    @model_validator(mode="after")
    def _rows_can_be_had(self) -> CorpusSettings:
        if self.min_tokens > self.max_length - 2:
            raise ValueError(
                f"min_tokens: {self.min_tokens}, but of max_length={self.max_length} "
                f"two are specials, so no row has more than {self.max_length - 2}"
            )
        if twice := sorted({path for path in self.files if self.files.count(path) > 1}):
            raise ValueError(f"files: {', '.join(twice)} stands twice")
        if self.data.max_rows != MaxRows():
            raise ValueError("data.max_rows: all train rows of tasks are read; leave it out")
        if "max_length" in self.data.model_fields_set:
            raise ValueError("data.max_length: is max_length here; leave it out")
        return self


class MaskingSettings(Settings):
    """Which tokens are masked: `share` of a batch's, by their count to the power -`smoothing`."""

    share: Annotated[float, Field(gt=0, lt=1)] = 0.15
    smoothing: Annotated[float, Field(ge=0, le=5)] = 0.7  # more leaves frequent words no weight


def between_texts_fault(
    losses: EncoderLosses, embeddings: EmbeddingSettings, training: TrainingSettings
) -> str | None:
    """Return what keeps losses between the texts of a batch from being had; None where nothing."""
    between = sorted(OF_EMBEDDINGS & set(losses.weighted()))
    if not between:
        return None
    why = f"losses.{between[0]} is between the texts of a batch"
    if training.batch_size == "auto" or training.accumulation > 1:
        return (f"training.{'batch_size' if training.batch_size == 'auto' else 'accumulation'}: "
                f"{why}, which can be run in one piece only; give a batch_size that fits"
                )  # fmt: skip
    if training.max_tokens is not None:
        return f"training.max_tokens: {why}, which has to have so many; give a batch_size"
    if training.batch_size < 2:
        return f"training.batch_size: {why}, which has one; take 2 or more"
    if "seed" in between and embeddings.queue < training.batch_size:
        return (f"embeddings.queue: {embeddings.queue}, but a batch has {training.batch_size} "
                "texts; it has to hold one at least")  # fmt: skip
    return None


class CompressRecipe(Settings):
    """A whole pipeline: a smaller encoder, text, distillation, evaluation."""

    name: Name
    description: str = ""
    kind: Literal["compress"]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    teacher: EncoderSettings
    student: SmallerEncoder
    corpus: CorpusSettings
    losses: EncoderLosses
    masking: MaskingSettings = MaskingSettings()
    embeddings: EmbeddingSettings = EmbeddingSettings()
    warmup_mlm: Count | None = None  # epochs of a new MLM head, of a teacher that has none
    warmup_training: TrainingOverrides = TrainingOverrides()  # of it, where there is one
    training: TrainingSettings = TrainingSettings()

    @field_validator("losses")
    @classmethod
    def _something_is_learnt(cls, losses: EncoderLosses) -> EncoderLosses:
        if not losses.weighted():
            raise ValueError("none has a weight above 0, so nothing would be learnt; name one "
                             "with its weight")  # fmt: skip
        return losses

    @model_validator(mode="after")
    def _training_of_one_corpus(self) -> CompressRecipe:
        if long := sorted({"epochs", "max_steps"} & self.warmup_training.model_fields_set):
            raise ValueError(f"warmup_training.{long[0]}: warmup_mlm says how long; leave it out")
        if fault := between_texts_fault(self.losses, self.embeddings, self.training):
            raise ValueError(fault)
        defaults = TrainingSettings()
        warmup = with_overrides(self.training, self.warmup_training)
        for part, settings in (("training", self.training), ("warmup_training", warmup)):
            for key, why in ONLY_TASKS.items():
                if getattr(settings, key) != getattr(defaults, key):
                    raise ValueError(f"{part}.{key}: {why}; leave it out")
        return self
