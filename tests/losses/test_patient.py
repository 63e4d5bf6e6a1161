from __future__ import annotations

import pytest
import torch

from mtkd.losses import patient


def test_known_values() -> None:
    student = torch.tensor([[3.0, 4]], dtype=torch.float64)
    teacher = torch.tensor([[1.0, 0]], dtype=torch.float64)
    losses = patient(student, teacher)
    assert losses.tolist() == pytest.approx([0.4], abs=1e-5)  # 0.8 summed over two dimensions


def test_only_directions_count() -> None:
    draw = torch.Generator().manual_seed(1)
    student = torch.randn(4, 6, dtype=torch.float64, generator=draw)
    teacher = torch.randn(4, 6, dtype=torch.float64, generator=draw)
    torch.testing.assert_close(patient(5 * student, teacher / 3), patient(student, teacher))
    torch.testing.assert_close(patient(2 * teacher, teacher).abs().max().item(), 0.0)


def test_gradients_by_finite_differences() -> None:
    draw = torch.Generator().manual_seed(2)
    student = torch.randn(3, 4, dtype=torch.float64, generator=draw, requires_grad=True)
    teacher = torch.randn(3, 4, dtype=torch.float64, generator=draw)
    assert torch.autograd.gradcheck(lambda s: patient(s, teacher), student)
