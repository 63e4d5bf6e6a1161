from __future__ import annotations

import pytest
import torch

from mtkd.errors import ShapeError
from mtkd.losses import attention_mse


def scores(*shape: int, seed: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=draw)


def test_it_is_the_mean_over_heads_and_pairs_of_real_tokens() -> None:
    student, teacher = scores(2, 3, 4, 4, seed=1), scores(2, 3, 4, 4, seed=2)
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    by_hand = [
        (student[0, :, :3, :3] - teacher[0, :, :3, :3]).square().mean(),
        (student[1] - teacher[1]).square().mean(),
    ]
    torch.testing.assert_close(attention_mse(student, teacher, mask), torch.stack(by_hand))


def test_what_stands_at_padding_does_not_matter() -> None:
    student, teacher = scores(1, 2, 3, 3, seed=1), scores(1, 2, 3, 3, seed=2)
    mask = torch.tensor([[1, 1, 0]])
    before = attention_mse(student, teacher, mask)
    student[:, :, 2, :], student[:, :, :, 2] = 1e30, -torch.inf
    student.requires_grad_(True)
    after = attention_mse(student, teacher, mask)
    torch.testing.assert_close(after, before)
    (gradient,) = torch.autograd.grad(after.sum(), student)
    assert gradient.isfinite().all()
    assert not gradient[:, :, 2].any()


def test_gradients_by_finite_differences() -> None:
    student, teacher = scores(2, 2, 3, 3, seed=1).requires_grad_(True), scores(2, 2, 3, 3, seed=2)
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    assert torch.autograd.gradcheck(lambda s: attention_mse(s, teacher, mask), student)


def test_another_number_of_heads_is_refused() -> None:
    with pytest.raises(ShapeError, match="teacher"):
        attention_mse(torch.zeros(1, 2, 3, 3), torch.zeros(1, 4, 3, 3), torch.ones(1, 3))
