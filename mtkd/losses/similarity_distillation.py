"""How like each other the texts of a batch are to one model, learnt from another."""

from __future__ import annotations

import torch
from torch import Tensor

from mtkd.errors import ShapeError
from mtkd.losses.checks import expect_states, expect_temperature
from mtkd.losses.similarities import cross_entropy_of, entropy_of, unit


def similarity_distillation(
    student: Tensor, teacher: Tensor, student_temperature: float, teacher_temperature: float
) -> tuple[Tensor, Tensor]:
    """Cross-entropy from the teacher's to the student's distribution over a text's neighbours.

    Row i of either is the softmax over j != i of cos(z_i, z_j) / T. With i among them a row would
    be next to one-hot at a low temperature, and say nothing. At equal temperatures a student that
    is its teacher has a gradient of 0, and a loss of the teacher's entropy.

    Args: student, teacher: embeddings of the same texts, (texts, width), of any two widths;
        temperatures > 0.
    Returns: the loss, and the divergence in it (the loss less the teacher's entropy), each in nats,
        (texts,).
    Raises: ShapeError: when the numbers of texts differ, or there is one text alone, which has no
        neighbour. ValueError: when a temperature is not above 0.
    Source: Jin et al. 2022 (arXiv 2110.08534), after Cha et al. 2021 (Co2L, arXiv 2106.14413),
        equation 5.
    """
    expect_states("student", student)
    expect_states("teacher", teacher)
    if len(student) != len(teacher) or len(student) < 2:
        raise ShapeError(f"expected embeddings of the same 2 texts or more, got {len(student)} and "
                         f"{len(teacher)}; a text alone has no neighbours: raise "
                         "training.batch_size")  # fmt: skip
    own = _among_others(student, student_temperature)
    other = _among_others(teacher, teacher_temperature)
    loss = cross_entropy_of(own, other)
    return loss, loss - entropy_of(other)


def _among_others(vectors: Tensor, temperature: float) -> Tensor:
    """Return cosines with the other rows over the temperature; -inf with itself."""
    expect_temperature(temperature)
    directions = unit(vectors)
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    return (directions @ directions.T / temperature).masked_fill(itself, -torch.inf)
