"""A teacher and the student made of it: what is compared between them, by configurations alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Any

from mtkd.distillation.needs import Needs, Shape, shape_of
from mtkd.distillation.registry import EmbeddingTerm, StateTerm, Term, build_terms
from mtkd.distillation.smaller import student_shape
from mtkd.distillation.states import HAVE_MLM_HEAD
from mtkd.errors import RecipeError
from mtkd.recipe import EncoderLosses, SmallerEncoder


@dataclasses.dataclass(frozen=True)
class Pair:
    """What is computed between two models: terms, and what they read of either, all together."""

    terms: tuple[Term, ...]
    projected: int | None

    @property
    def state_terms(self) -> tuple[StateTerm, ...]:
        """Return those on states."""
        return tuple(term for term in self.terms if isinstance(term, StateTerm))

    @property
    def queued(self) -> bool:
        """Return whether the teacher's embeddings of texts before are read."""
        return any(isinstance(term, EmbeddingTerm) and term.queued for term in self.terms)

    @property
    def student(self) -> Needs:
        """Return what is read of the student."""
        return reduce(or_, (term.student for term in self.terms), Needs())

    @property
    def teacher(self) -> Needs:
        """Return what is read of the teacher."""
        return reduce(or_, (term.teacher for term in self.terms), Needs())


def make_pair(losses: EncoderLosses, student: Shape, teacher: Shape) -> Pair:
    """Return what a recipe's losses compute between two models.

    Raises: RecipeError: a loss cannot be had from these two.
    """
    terms = build_terms(losses, student, teacher)
    wanted = any(isinstance(term, StateTerm) and term.projected for term in terms)
    projected = teacher.width if wanted and student.width != teacher.width else None
    between = [term.name for term in terms if isinstance(term, EmbeddingTerm)]
    if projected is not None and between:
        names = [term.name for term in terms if isinstance(term, StateTerm) and term.projected]
        raise RecipeError(f"losses.{names[0]}: projects the states of a student of {student.width} "
                          f"dimensions, of which losses.{between[0]} makes embeddings: leave one "
                          "of the two out")  # fmt: skip
    return Pair(terms, projected)


def check_pair(losses: EncoderLosses, student: SmallerEncoder, teacher: Mapping[str, Any]) -> Pair:
    """See that the student can be made of the teacher, and compared with it.

    Args: teacher: its config.json.
    Raises: RecipeError: naming the key at fault.
    """
    kind = teacher.get("model_type")
    if kind not in HAVE_MLM_HEAD:
        raise RecipeError(f"teacher.encoder: a {kind} encoder cannot be compressed; those that can "
                          f"are {', '.join(HAVE_MLM_HEAD)}")  # fmt: skip
    return make_pair(losses, student_shape(student, teacher), shape_of(teacher))
