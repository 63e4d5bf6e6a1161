"""The losses between two encoders, by name, each with its weight; formulas are in mtkd/losses/."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mtkd.recipe.fields import Count, Positive, Settings

Weight = Annotated[float, Field(ge=0)]  # 0 leaves the loss out, which an ablation does


OF_MASKED_WORDS = frozenset({"soft_mlm", "mlm"})
OF_EMBEDDINGS = frozenset({"simcse", "contrastive", "seed"})  # between the texts of a batch


class WeightedLoss(Settings):
    """A loss and its weight in the sum."""

    weight: Weight


class SoftMlm(WeightedLoss):
    """KL divergence of the student's word distributions from the teacher's, times T^2."""

    temperature: Positive = 2.0
    restrict_to_masked: bool = False  # else at every real token, as DistilBERT was trained
    reverse: bool = False  # of the teacher's from the student's instead


class Patient(WeightedLoss):
    """Patient KD on all layers but the student's last: every few of the teacher's, or its last."""

    layers: Literal["skip", "last"] = "skip"


class MiniLm(WeightedLoss):
    """MiniLMv2's relations, of the last layers or of another of the teacher's, from 1."""

    relation_heads: Count
    teacher_layer: Count | None = None


class SimCse(WeightedLoss):
    """Of a text's embeddings by two draws of dropout, among those of a batch; reads no teacher."""

    temperature: Positive = 0.05


class Contrastive(WeightedLoss):
    """Of how like texts are to the student, and to the teacher: those of a batch, or of a queue."""

    temperature: Positive = 0.2  # the student's
    teacher_temperature: Positive = 0.01


class EmbeddingSettings(Settings):
    """What a text's embedding is, for losses between texts.

    pooling: of the last states. inputs: masked takes them from the pass that learns words, and
    costs a pass less than unmasked. queue: how many of the teacher's `seed` is over.
    """

    pooling: Literal["first", "mean"] = "mean"
    inputs: Literal["masked", "unmasked"] = "masked"
    queue: Count = 65_536


class EncoderLosses(Settings):
    """The losses of a recipe. What is left out, or weighs 0, is not computed."""

    soft_mlm: SoftMlm | None = None
    mlm: WeightedLoss | None = None
    cosine: WeightedLoss | None = None
    hidden_mse: WeightedLoss | None = None
    embedding_mse: WeightedLoss | None = None
    attention_mse: WeightedLoss | None = None
    pkd: Patient | None = None
    minilm: MiniLm | None = None
    representation: WeightedLoss | None = None
    simcse: SimCse | None = None
    contrastive: Contrastive | None = None
    seed: Contrastive | None = None

    def weighted(self) -> dict[str, WeightedLoss]:
        """Return the losses that count, by name."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {n: loss for n, loss in found.items() if loss is not None and loss.weight > 0}
