"""The recipe of a `lifelong` pipeline: an encoder that learns one corpus after another."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mtkd.recipe.compress import CorpusSettings, MaskingSettings, between_texts_fault
from mtkd.recipe.encoder_losses import EmbeddingSettings, EncoderLosses
from mtkd.recipe.fields import Count, Name, Positive, Settings
from mtkd.recipe.names import Place, twins
from mtkd.recipe.schema import DataSettings, EncoderSettings
from mtkd.recipe.training import ONLY_TASKS, TrainingSettings

Method = Literal["sequential", "replay", "joint", "separate", "logit", "representation",
                 "contrastive", "seed", "seed_logit"]  # fmt: skip

_MLM: dict[str, Any] = {"mlm": {"weight": 1.0}}
_LOGIT: dict[str, Any] = {
    "soft_mlm": {"weight": 1.0, "temperature": 1.0, "restrict_to_masked": True}
}
_SIMCSE: dict[str, Any] = {"simcse": {"weight": 1.0}}
_LOSSES: dict[Method, dict[str, Any]] = {
    "sequential": _MLM,
    "replay": _MLM,
    "joint": _MLM,
    "separate": _MLM,
    "logit": _MLM | _LOGIT,
    "representation": _MLM | {"representation": {"weight": 1.0}},
    "contrastive": _MLM | _SIMCSE | {"contrastive": {"weight": 1.0}},
    "seed": _MLM | _SIMCSE | {"seed": {"weight": 1.0}},
    "seed_logit": _MLM | _SIMCSE | {"seed": {"weight": 1.0}} | _LOGIT,
}


class Domain(Settings):
    """One corpus of a stream, how many updates are made on it, and tasks that are of its kind.

    Method joint makes as many on all corpora so far as their steps come to.
    """

    name: Name
    corpus: CorpusSettings
    steps: Count
    tasks: tuple[Place, ...] = ()  # names of cards, or paths to cards


class Downstream(Settings):
    """How each checkpoint is fine-tuned on the tasks of each corpus, and scored on dev."""

    data: DataSettings = DataSettings()
    seeds: Count = 3
    pooling: Literal["first", "mean"] = "mean"
    training: TrainingSettings = TrainingSettings()


class Replay(Settings):
    """Rows of earlier corpora that are learnt again.

    rows: that are remembered, of all corpora before. strategy: reservoir keeps any row seen so far
    with the same probability, balanced as many of each corpus. ratio: updates on remembered rows
    for each on the new corpus's, made beside those.
    """

    rows: Count = 1000
    strategy: Literal["reservoir", "balanced"] = "reservoir"
    ratio: Positive = 0.25


class LifelongRecipe(Settings):
    """A whole pipeline: corpora, an encoder adapted to one after another, what it has kept.

    method: sequential, replay, joint (on all corpora so far, each time from the start) and separate
    (each from the start) learn words alone; the others are held to the encoder of before as well
    (Jin et al. 2022, arXiv 2110.08534). losses: beside the method's, or in place of those of the
    same name; null takes one out. replay: goes with any method that goes on from the last encoder.
    """

    name: Name
    description: str = ""
    kind: Literal["lifelong"]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    encoder: EncoderSettings
    stream: tuple[Domain, ...]
    method: Method = "seed_logit"
    losses: EncoderLosses = EncoderLosses()
    replay: Replay | None = None
    masking: MaskingSettings = MaskingSettings()
    embeddings: EmbeddingSettings = EmbeddingSettings()
    training: TrainingSettings = TrainingSettings()
    downstream: Downstream = Downstream()

    @property
    def weighted_losses(self) -> EncoderLosses:
        """Return the losses that the method and the recipe come to."""
        own = self.losses.model_dump(include=self.losses.model_fields_set)
        return EncoderLosses.model_validate({**_LOSSES[self.method], **own})

    @property
    def memory(self) -> Replay | None:
        """Return what is remembered of earlier corpora; None where nothing is."""
        return self.replay or (Replay() if self.method == "replay" else None)

    @model_validator(mode="after")
    def _stream_is_one(self) -> LifelongRecipe:
        names = [domain.name for domain in self.stream]
        if len(names) < 2:
            raise ValueError(f"stream: expected two corpora or more, found {len(names)}: of one "
                             "nothing can be forgotten; mtkd compress trains on one"
                             )  # fmt: skip
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"stream: two corpora are named {', '.join(twice)}")
        if alike := twins(names):
            raise ValueError(f"stream: {', '.join(alike)} would share a folder on macOS or Windows")
        if len({bool(domain.tasks) for domain in self.stream}) > 1:
            lacking = [d.name for d in self.stream if not d.tasks]
            raise ValueError(f"stream: {', '.join(lacking)} without tasks, and others with some: "
                             "scores are compared over all; give each some, or none"
                             )  # fmt: skip
        if self.replay is not None and self.method in {"joint", "separate"}:
            raise ValueError(f"replay: method {self.method} begins anew with each corpus; leave it "
                             "out")  # fmt: skip
        return self

    @model_validator(mode="after")
    def _losses_can_be_had(self) -> LifelongRecipe:
        losses = self.weighted_losses
        if not losses.weighted():
            raise ValueError("losses: none has a weight above 0, so nothing would be learnt")
        held = sorted(set(losses.weighted()) - {"mlm", "simcse"})
        if held and self.method in {"joint", "separate"}:
            raise ValueError(f"losses.{held[0]}: is held to the encoder of before, and method "
                             f"{self.method} begins anew with each corpus; leave it out"
                             )  # fmt: skip
        if fault := between_texts_fault(losses, self.embeddings, self.training):
            raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _training_by_steps(self) -> LifelongRecipe:
        given = self.training.model_fields_set
        if unused := sorted({"keep", "early_stopping", "keep_best_per_task"}
                            & self.downstream.training.model_fields_set):  # fmt: skip
            raise ValueError(f"downstream.training.{unused[0]}: the last epoch is scored, as the "
                             "best would be chosen on the same rows; leave it out")  # fmt: skip
        if long := sorted({"epochs", "max_steps"} & given):
            raise ValueError(f"training.{long[0]}: stream.N.steps says how long; leave it out")
        if unused := sorted({"keep", "early_stopping"} & given):
            raise ValueError(f"training.{unused[0]}: each corpus is learnt for as many steps as it "
                             "has; leave it out")  # fmt: skip
        defaults = TrainingSettings()
        for key, why in ONLY_TASKS.items():
            if getattr(self.training, key) != getattr(defaults, key):
                raise ValueError(f"training.{key}: {why}; leave it out")
        return self
