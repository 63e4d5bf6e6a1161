"""Temperature-scaled KL divergence between a teacher's and a student's logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from mtkd.losses.checks import expect_logits, expect_shape, expect_temperature


def kd_kl_divergence(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """KL(softmax(t / T) || softmax(s / T)), times T^2, in nats, one value a row.

    Summed over classes: `reduction="mean"` of torch's kl_div would divide by their number too. The
    gradient with respect to s is T (p_s - p_t). As T grows the value tends to
    |s~ - t~|^2 / (2 C), with s~ and t~ the C logits less their mean.

    Args:
        student_logits: s, raw, (batch, classes).
        teacher_logits: t, raw, of one teacher, (batch, classes). An ensemble's soft labels are a
            mean of probabilities, not of logits: see `soft_cross_entropy`.
        temperature: T > 0.

    Returns: (batch,).
    Raises: ShapeError: when the two shapes differ. ValueError: when T is not above 0.
    Source: Hinton et al. 2015 (arXiv 1503.02531), section 2.
    """
    expect_logits("student_logits", student_logits)
    shape = tuple(student_logits.shape)
    expect_shape("teacher_logits", teacher_logits, shape, f"student_logits {shape}")
    expect_temperature(temperature)
    student = F.log_softmax(student_logits / temperature, dim=-1)
    teacher = F.log_softmax(teacher_logits / temperature, dim=-1)
    # Both in logs: where a teacher's probability underflows to 0 its log is still finite.
    return F.kl_div(student, teacher, reduction="none", log_target=True).sum(-1) * temperature**2
