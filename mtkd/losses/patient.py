"""Patient knowledge distillation: the first token's direction, layer by layer."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from mtkd.losses.checks import expect_states
from mtkd.losses.precision import precise


def patient(student: Tensor, teacher: Tensor) -> Tensor:
    """|s / |s| - t / |t||^2, mean over dimensions, one value a row.

    Args: student, teacher: hidden states of the first token after one layer of each,
        (batch, width).
    Returns: (batch,), at most 4 / width.
    Raises: ShapeError: when the shapes differ.
    Source: Sun et al. 2019 (Patient KD, arXiv 1908.09355), equation 7, which sums over layers. The
        mean over dimensions is that of the authors' code, which takes the mean over layers too: of
        n layers, a weight of theirs (10 to 1000) is n times one of a sum.
    """
    expect_states("student", student)
    expect_states("teacher", teacher, like=student)
    apart = F.normalize(precise(student), dim=1) - F.normalize(precise(teacher), dim=1)
    return apart.square().mean(dim=1)
