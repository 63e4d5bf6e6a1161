from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtkd.errors import ShapeError
from mtkd.losses import kd_kl_divergence, soft_cross_entropy


def _row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


@pytest.mark.parametrize(
    ("student", "teacher", "temperature", "expected"),
    [
        (_row(0, 0, 0), _row(1, 0, -1), 2.0, 0.313684),
        (_row(0, 0, 0), _row(1, 0, -1), 1.0, 0.266217),
        (_row(1, 2, 0), _row(2, 1, 0), 2.0, 0.398569),
        (_row(1, 2, 0), _row(2, 1, 0), 1000.0, 0.333500),
        (_row(1, 2, 0), _row(2, 1, 0), 1e6, 0.333333),  # |s~ - t~|^2 / (2 C)
    ],
)
def test_known_values_summed_over_classes_and_times_t_squared(
    student: Tensor, teacher: Tensor, temperature: float, expected: float
) -> None:
    losses = kd_kl_divergence(student, teacher, temperature)
    assert losses.tolist() == pytest.approx([expected], abs=1e-5)


def test_the_gradient_is_t_times_the_difference_of_probabilities() -> None:
    student = _row(1, 2, 0).requires_grad_(True)
    kd_kl_divergence(student, _row(2, 1, 0), 2.0).sum().backward()
    assert student.grad is not None
    assert student.grad[0].tolist() == pytest.approx([-0.398569, 0.398569, 0.0], abs=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 7.5])
def test_it_has_the_gradient_of_soft_cross_entropy(temperature: float) -> None:
    generator = torch.Generator().manual_seed(2)
    first = torch.randn(5, 4, dtype=torch.float64, generator=generator).requires_grad_(True)
    second = first.detach().clone().requires_grad_(True)
    teacher = torch.randn(5, 4, dtype=torch.float64, generator=generator)
    kd_kl_divergence(first, teacher, temperature).sum().backward()
    probs = (teacher / temperature).softmax(-1)
    soft_cross_entropy(second, probs, temperature).sum().backward()
    torch.testing.assert_close(first.grad, second.grad)


def test_it_is_zero_when_the_student_equals_the_teacher_up_to_a_shift() -> None:
    teacher = _row(3, -1, 0.5)
    losses = kd_kl_divergence(teacher + 10, teacher, 3.0)
    torch.testing.assert_close(losses, torch.zeros(1, dtype=torch.float64))


def test_it_is_the_teacher_that_weighs_the_classes() -> None:
    """KL(teacher || student), not the other way round: the two values differ."""
    one, other = _row(3, 0, 0), _row(0, 0, 1)
    teacher, student = other.softmax(-1), one.softmax(-1)
    expected = (teacher * (teacher / student).log()).sum(-1)
    torch.testing.assert_close(kd_kl_divergence(one, other, 1.0), expected)
    assert (kd_kl_divergence(other, one, 1.0) - expected).abs().item() > 0.05


def test_rows_are_kept_apart() -> None:
    generator = torch.Generator().manual_seed(3)
    students = torch.randn(3, 2, generator=generator)
    teachers = torch.randn(3, 2, generator=generator)
    losses = kd_kl_divergence(students, teachers, 2.0)
    for row in range(3):
        alone = kd_kl_divergence(students[row : row + 1], teachers[row : row + 1], 2.0)
        torch.testing.assert_close(losses[row : row + 1], alone)


def test_certain_teachers_and_students_stay_finite() -> None:
    student = torch.tensor([[1e4, -1e4], [0.0, 0.0]], requires_grad=True)
    losses = kd_kl_divergence(student, torch.tensor([[-1e4, 1e4], [1e4, -1e4]]), 1.0)
    losses.sum().backward()
    assert losses.isfinite().all()
    assert student.grad is not None
    assert student.grad.isfinite().all()


@pytest.mark.parametrize("shape", [(3,), (1, 3), (4, 1), (4, 2)])
def test_teachers_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"teacher_logits: expected shape \(4, 3\)"):
        kd_kl_divergence(torch.zeros(4, 3), torch.zeros(shape), 1.0)


def test_regression_scores_are_refused_since_their_divergence_would_be_0() -> None:
    with pytest.raises(ShapeError, match="for a regression task use squared_error"):
        kd_kl_divergence(torch.zeros(4, 1), torch.zeros(4, 1), 1.0)


def test_a_temperature_of_0_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature: expected a number above 0, got 0"):
        kd_kl_divergence(torch.zeros(1, 2), torch.zeros(1, 2), 0.0)
