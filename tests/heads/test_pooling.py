from __future__ import annotations

import pytest
import torch

from mtkd.heads import pool

HIDDEN = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [100.0, 100.0]], [[5.0, 6.0], [7.0, 8.0], [0, 1]]])
MASK = torch.tensor([[1, 1, 0], [1, 1, 1]])
POOLED = torch.tensor([[9.0, 9.0], [8.0, 8.0]])


def test_first_is_the_encoders_own_pooled_token_where_there_is_one() -> None:
    assert torch.equal(pool(HIDDEN, POOLED, MASK, "first"), POOLED)


def test_first_is_the_first_hidden_state_where_there_is_no_pooler() -> None:
    assert torch.equal(pool(HIDDEN, None, MASK, "first"), torch.tensor([[1.0, 2.0], [5.0, 6.0]]))


@pytest.mark.parametrize("mask", [MASK, MASK.bool()])
def test_mean_is_over_real_tokens_only(mask: torch.Tensor) -> None:
    expected = torch.tensor([[2.0, 3.0], [4.0, 5.0]])
    assert torch.equal(pool(HIDDEN, POOLED, mask, "mean"), expected)


def test_mean_ignores_nan_at_pads() -> None:
    hidden = HIDDEN.clone()
    hidden[0, 2] = torch.nan
    assert torch.equal(pool(hidden, None, MASK, "mean"), pool(HIDDEN, None, MASK, "mean"))


def test_an_unknown_pooling_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="expected 'first' or 'mean', got 'max'"):
        pool(HIDDEN, POOLED, MASK, "max")  # type: ignore[arg-type]
