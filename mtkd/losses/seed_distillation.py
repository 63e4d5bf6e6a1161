"""How like a text is to many texts before it, learnt from another model (SEED)."""

from __future__ import annotations

import torch
from torch import Tensor

from mtkd.losses.checks import expect_shape, expect_states, expect_temperature
from mtkd.losses.similarities import cross_entropy_of, entropy_of, unit


def seed_distillation(
    student: Tensor,
    teacher: Tensor,
    queue: Tensor,
    student_temperature: float,
    teacher_temperature: float,
) -> tuple[Tensor, Tensor]:
    """Cross-entropy from the teacher's to the student's distribution over a queue of texts.

    The columns are the teacher's embeddings of texts before, in the queue, and its own of the text
    itself, which the teacher is nearest to: with an empty queue the loss is 0.

    Args: student, teacher: embeddings of the same texts, (texts, width). queue: of the teacher,
        (slots, width), none of them empty. temperatures > 0.
    Returns: the loss, and the divergence in it (the loss less the teacher's entropy), each in nats,
        (texts,).
    Raises: ShapeError: when shapes do not fit. ValueError: when a temperature is not above 0.
    Source: Fang et al. 2021 (SEED, arXiv 2101.04731), equations 4 to 6, as Jin et al. 2022 (arXiv
        2110.08534) take it over.
    """
    expect_states("student", student)
    expect_states("teacher", teacher, like=student)
    expect_shape("queue", queue, (len(queue), student.size(1)), f"student {tuple(student.shape)}")
    expect_temperature(student_temperature)
    expect_temperature(teacher_temperature)
    own, other, before = unit(student), unit(teacher), unit(queue)
    wanted = _with_itself(other, other, before) / teacher_temperature
    loss = cross_entropy_of(_with_itself(own, other, before) / student_temperature, wanted)
    return loss, loss - entropy_of(wanted)


def _with_itself(directions: Tensor, itself: Tensor, others: Tensor) -> Tensor:
    """Return cosines with each row's own counterpart, then with all others, (rows, 1 + others)."""
    return torch.cat([(directions * itself).sum(dim=1, keepdim=True), directions @ others.T], dim=1)
