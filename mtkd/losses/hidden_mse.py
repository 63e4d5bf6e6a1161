"""Squared distance between a student's and a teacher's hidden states."""

from __future__ import annotations

from torch import Tensor

from mtkd.losses.checks import expect_states
from mtkd.losses.precision import precise


def hidden_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """(s - t)^2, mean over dimensions, in squared units of a hidden state, one value a position.

    A student of another width is projected first, H_s W, by a matrix that is learnt along.

    Args: student, teacher: hidden states, or embeddings, of the same positions,
        (positions, width).
    Returns: (positions,).
    Raises: ShapeError: when the shapes differ.
    Source: Jiao et al. 2020 (TinyBERT, arXiv 1909.10351), equations 8 and 9.
    """
    expect_states("student", student)
    expect_states("teacher", teacher, like=student)
    return (precise(student) - precise(teacher)).square().mean(dim=1)
