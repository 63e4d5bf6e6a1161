"""The losses between two encoders by name: what each reads of both, and how it is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from torch import Tensor

from mtkd.distillation.needs import Needs, Shape
from mtkd.distillation.states import States
from mtkd.errors import RecipeError
from mtkd.losses import (
    attention_mse,
    cosine_distance,
    gold_cross_entropy,
    hidden_mse,
    kd_kl_divergence,
    patient,
    relations,
    seed_distillation,
    simcse,
    similarity_distillation,
)
from mtkd.recipe.encoder_losses import (
    Contrastive,
    EncoderLosses,
    MiniLm,
    Patient,
    SimCse,
    SoftMlm,
    WeightedLoss,
)

Unit = Literal["row", "token", "masked"]


class TextBatch(Protocol):
    """What a loss reads of a batch beside the models' states. mask: 1 for real tokens."""

    @property
    def mask(self) -> Tensor: ...  # noqa: D102

    def real(self, states: Tensor) -> Tensor:
        """Return the states of real tokens, (tokens, width)."""


@dataclasses.dataclass(frozen=True)
class Term:
    """One loss of a recipe, made for a pair of models.

    unit: what a value is of; the loss is the mean over all of a batch. student, teacher: what it
    reads.
    """

    name: str
    weight: float
    unit: Unit
    student: Needs
    teacher: Needs


@dataclasses.dataclass(frozen=True)
class StateTerm(Term):
    """A loss on states.

    values: (units,). layers: the teacher's for each of the student's that it compares, from 1, the
    embeddings 0. projected: whether it compares hidden states that may be projected.
    """

    values: Callable[[States, States, TextBatch], Tensor]
    layers: Mapping[int, int] = dataclasses.field(default_factory=dict)
    projected: bool = False


@dataclasses.dataclass(frozen=True)
class WordTerm(Term):
    """A loss on words.

    values: (units,), given the logits of both, (tokens, vocabulary), the teacher's where it reads
    it, and what the masked tokens were, (masked,), which are the first.
    """

    values: Callable[[Tensor, Tensor | None, Tensor], Tensor]


@dataclasses.dataclass(frozen=True)
class Embeddings:
    """What texts are to two models, each (texts, width).

    one, two: the student's, by two draws of dropout; two is None where nothing reads it. teacher:
    None where nothing reads it. queue: the teacher's of texts before, (slots, width).
    """

    one: Tensor
    two: Tensor | None
    teacher: Tensor | None
    queue: Tensor


@dataclasses.dataclass(frozen=True)
class EmbeddingTerm(Term):
    """A loss between texts.

    values: (texts,), and the divergence in it, where its least value is not 0. queued: whether it
    reads the teacher's embeddings of texts before.
    """

    values: Callable[[Embeddings], tuple[Tensor, Tensor | None]]
    queued: bool = False


def build_terms(losses: EncoderLosses, student: Shape, teacher: Shape) -> tuple[Term, ...]:
    """Return the losses of a recipe for two models.

    Raises: RecipeError: a loss cannot be had from these two; all such are named at once.
    """
    terms, faults = [], []
    for name, settings in losses.weighted().items():
        try:
            terms.append(LOSSES[name](name, settings, student, teacher))
        except RecipeError as error:
            faults.append(str(error))
    if faults:
        raise RecipeError("\n".join([f"losses: {len(faults)} fault(s)", *faults]))
    return tuple(terms)


def _soft_mlm(name: str, settings: SoftMlm, student: Shape, teacher: Shape) -> WordTerm:
    if student.vocabulary != teacher.vocabulary:
        raise RecipeError(f"losses.{name}: the student's vocabulary has {student.vocabulary} "
                          f"words, the teacher's {teacher.vocabulary}; word distributions can be "
                          "compared over one vocabulary only: leave it out")  # fmt: skip

    def values(own: Tensor, other: Tensor | None, labels: Tensor) -> Tensor:
        assert other is not None
        count = len(labels) if settings.restrict_to_masked else len(own)
        one, two = (other, own) if settings.reverse else (own, other)
        return kd_kl_divergence(one[:count], two[:count], settings.temperature)

    if settings.restrict_to_masked:
        at = Needs("masked")
        return WordTerm(name, settings.weight, "masked", at, at, values)
    return WordTerm(name, settings.weight, "token", Needs("real"), Needs("real"), values)


def _mlm(name: str, settings: WeightedLoss, student: Shape, teacher: Shape) -> WordTerm:
    def values(own: Tensor, other: Tensor | None, labels: Tensor) -> Tensor:
        return gold_cross_entropy(own[: len(labels)], labels)

    return WordTerm(name, settings.weight, "masked", Needs("masked"), Needs(), values)


def _cosine(name: str, settings: WeightedLoss, student: Shape, teacher: Shape) -> StateTerm:
    if student.width != teacher.width:
        raise RecipeError(f"losses.{name}: the student's states have {student.width} dimensions, "
                          f"the teacher's {teacher.width}; an angle needs the same: use "
                          "hidden_mse, which learns a projection")  # fmt: skip
    own_last, other_last = student.layers, teacher.layers

    def values(own: States, other: States, batch: TextBatch) -> Tensor:
        one, two = batch.real(own.hidden[own_last]), batch.real(other.hidden[other_last])
        return cosine_distance(one, two)

    own, other = _hidden(own_last), _hidden(other_last)
    return StateTerm(name, settings.weight, "token", own, other, values, {own_last: other_last})


def _hidden_mse(name: str, settings: WeightedLoss, student: Shape, teacher: Shape) -> StateTerm:
    return _state_mse(name, settings, evenly(student.layers, teacher.layers))


def _embedding_mse(name: str, settings: WeightedLoss, student: Shape, teacher: Shape) -> StateTerm:
    return _state_mse(name, settings, {0: 0})


def _state_mse(name: str, settings: WeightedLoss, pairs: Mapping[int, int]) -> StateTerm:
    def values(own: States, other: States, batch: TextBatch) -> Tensor:
        found = [hidden_mse(batch.real(own.hidden[s]), batch.real(other.hidden[t]))
                 for s, t in pairs.items()]  # fmt: skip
        return sum(found[1:], found[0])

    own, other = _hidden(*pairs), _hidden(*pairs.values())
    return StateTerm(name, settings.weight, "token", own, other, values, pairs, projected=True)


def _attention_mse(name: str, settings: WeightedLoss, student: Shape, teacher: Shape) -> StateTerm:
    if student.heads != teacher.heads:
        raise RecipeError(f"losses.{name}: the student has {student.heads} attention heads, the "
                          f"teacher {teacher.heads}; scores are compared head by head: use minilm, "
                          "which cuts both into relation heads")  # fmt: skip
    pairs = evenly(student.layers, teacher.layers)

    def values(own: States, other: States, batch: TextBatch) -> Tensor:
        found = [attention_mse(own.scores(s), other.scores(t), batch.mask)
                 for s, t in pairs.items()]  # fmt: skip
        return sum(found[1:], found[0])

    own, other = _attention(*pairs), _attention(*pairs.values())
    return StateTerm(name, settings.weight, "row", own, other, values, pairs)


def _pkd(name: str, settings: Patient, student: Shape, teacher: Shape) -> StateTerm:
    if student.width != teacher.width:
        raise RecipeError(f"losses.{name}: the student's states have {student.width} dimensions, "
                          f"the teacher's {teacher.width}; their directions can be compared only "
                          "in the same")  # fmt: skip
    if student.layers < 2:
        raise RecipeError(f"losses.{name}: is on all layers of the student but the last, and it "
                          "has one; leave it out")  # fmt: skip
    if student.layers > teacher.layers:
        raise RecipeError(f"losses.{name}: gives each layer of the student another of the "
                          f"teacher's, and the student has {student.layers}, the teacher "
                          f"{teacher.layers}: use hidden_mse, or a deeper teacher")  # fmt: skip
    if settings.layers == "skip":
        pairs = {m: t for m, t in evenly(student.layers, teacher.layers).items()
                 if m < student.layers}  # fmt: skip
    else:
        pairs = {m: teacher.layers - student.layers + m for m in range(1, student.layers)}

    def values(own: States, other: States, batch: TextBatch) -> Tensor:
        found = [patient(own.hidden[s][:, 0], other.hidden[t][:, 0]) for s, t in pairs.items()]
        return sum(found[1:], found[0])

    own, other = _hidden(*pairs), _hidden(*pairs.values())
    return StateTerm(name, settings.weight, "row", own, other, values, pairs)


def _minilm(name: str, settings: MiniLm, student: Shape, teacher: Shape) -> StateTerm:
    heads = settings.relation_heads
    if student.width % heads or teacher.width % heads:
        raise RecipeError(f"losses.{name}.relation_heads: {heads} does not divide both widths, "
                          f"{student.width} and {teacher.width}")  # fmt: skip
    last, layer = student.layers, settings.teacher_layer or teacher.layers
    if layer > teacher.layers:
        raise RecipeError(f"losses.{name}.teacher_layer: {layer}, of {teacher.layers} layers")

    def values(own: States, other: States, batch: TextBatch) -> Tensor:
        found = [
            relations(_side_by_side(getattr(own.attention[last], kind)),
                      _side_by_side(getattr(other.attention[layer], kind)), batch.mask, heads)
            for kind in ("query", "key", "value")
        ]  # fmt: skip
        return (found[0] + found[1] + found[2])[batch.mask.bool()]

    own_needs = dataclasses.replace(_attention(last), values=frozenset({last}))
    other_needs = dataclasses.replace(_attention(layer), values=frozenset({layer}))
    return StateTerm(name, settings.weight, "token", own_needs, other_needs, values, {last: layer})


def _representation(name: str, settings: WeightedLoss, student: Shape, teacher: Shape) -> StateTerm:
    return _state_mse(name, settings, {student.layers: teacher.layers})


def _simcse(name: str, settings: SimCse, student: Shape, teacher: Shape) -> EmbeddingTerm:
    def values(found: Embeddings) -> tuple[Tensor, None]:
        assert found.two is not None
        return simcse(found.one, found.two, settings.temperature), None

    return EmbeddingTerm(name, settings.weight, "row", _embedded(student, 2), Needs(), values)


def _contrastive(name: str, settings: Contrastive, student: Shape, teacher: Shape) -> EmbeddingTerm:
    def values(found: Embeddings) -> tuple[Tensor, Tensor]:
        assert found.teacher is not None
        if len(found.one) < 2:  # the last batch of an epoch may be of one text, without neighbours
            nothing = found.one.sum(dim=1) * 0.0
            return nothing, nothing
        return similarity_distillation(found.one, found.teacher, settings.temperature,
                                       settings.teacher_temperature)  # fmt: skip

    own, other = _embedded(student), _embedded(teacher)
    return EmbeddingTerm(name, settings.weight, "row", own, other, values)


def _seed(name: str, settings: Contrastive, student: Shape, teacher: Shape) -> EmbeddingTerm:
    if student.width != teacher.width:
        raise RecipeError(f"losses.{name}: the student's embeddings have {student.width} "
                          f"dimensions, the teacher's, in the queue, {teacher.width}: use "
                          "contrastive, which compares each model's with its own")  # fmt: skip

    def values(found: Embeddings) -> tuple[Tensor, Tensor]:
        assert found.teacher is not None
        return seed_distillation(found.one, found.teacher, found.queue, settings.temperature,
                                 settings.teacher_temperature)  # fmt: skip

    own, other = _embedded(student), _embedded(teacher)
    return EmbeddingTerm(name, settings.weight, "row", own, other, values, queued=True)


Builder = Callable[..., Term]
LOSSES: Mapping[str, Builder] = {
    "soft_mlm": _soft_mlm,
    "mlm": _mlm,
    "cosine": _cosine,
    "hidden_mse": _hidden_mse,
    "embedding_mse": _embedding_mse,
    "attention_mse": _attention_mse,
    "pkd": _pkd,
    "minilm": _minilm,
    "representation": _representation,
    "simcse": _simcse,
    "contrastive": _contrastive,
    "seed": _seed,
}
"""The builders of `EncoderLosses`' keys."""


def said_of(term: Term) -> str:
    """Return a loss's name and the layers that it compares, as a log says it."""
    pairs = term.layers if isinstance(term, StateTerm) else {}
    said = ", ".join(f"{own} with {other}" for own, other in pairs.items())
    return f"{term.name} (layer {said})" if said else term.name


def evenly(student: int, teacher: int) -> dict[int, int]:
    """Return the teacher's layer for each of the student's, from 1: m goes with m L / M, rounded.

    Halves go to the even number, as numbers do in Python.
    """
    return {m: max(1, round(m * teacher / student)) for m in range(1, student + 1)}


def _hidden(*numbers: int) -> Needs:
    return Needs(hidden=frozenset(numbers))


def _embedded(shape: Shape, times: int = 1) -> Needs:
    return Needs(hidden=frozenset({shape.layers}), embeddings=times)


def _attention(*layers: int) -> Needs:
    return Needs(attention=frozenset(layers))


def _side_by_side(heads: Tensor) -> Tensor:
    """(batch, heads, tokens, size) to (batch, tokens, heads * size)."""
    return heads.transpose(1, 2).flatten(2)
