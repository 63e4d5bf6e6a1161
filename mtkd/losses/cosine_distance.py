"""How far the directions are apart of a student's and a teacher's hidden states."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from mtkd.losses.checks import expect_states
from mtkd.losses.precision import precise


def cosine_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """1 - cos(s, t), in [0, 2], one value a position.

    Args: student, teacher: hidden states of the same positions, (positions, width).
    Returns: (positions,).
    Raises: ShapeError: when the shapes differ.
    Source: Sanh et al. 2019 (DistilBERT, arXiv 1910.01108), section 3, on the last layer.
    """
    expect_states("student", student)
    expect_states("teacher", teacher, like=student)
    return 1 - F.cosine_similarity(precise(student), precise(teacher), dim=1)
