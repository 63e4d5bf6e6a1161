"""The limit is only as true as its count of FLOPs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertModel

from benchmarks.flops import Shape, batch_tokens, forward_flops, matrix_rate

SHAPE = Shape(layers=2, width=32, inner=64)


def test_flops_are_those_that_torch_counts_in_a_forward_pass() -> None:
    config = BertConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        vocab_size=50, max_position_embeddings=32, attn_implementation="eager",
    )  # fmt: skip
    model = BertModel(config, add_pooling_layer=False).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.ones((3, 16), dtype=torch.int64))
    assert forward_flops(SHAPE, np.array([16, 16, 16])) == counter.get_total_flops()


def test_attention_is_counted_on_each_rows_own_length() -> None:
    together = forward_flops(SHAPE, np.array([8, 24]))
    assert together == sum(forward_flops(SHAPE, np.array([n])) for n in (8, 24))
    assert together > forward_flops(SHAPE, np.array([16, 16]))  # the same tokens


def test_the_rate_counts_all_three_products_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    products: list[tuple[int, int, int]] = []

    def second(a: torch.Tensor, b: torch.Tensor, times: int) -> float:
        products.append((a.shape[0], a.shape[1], b.shape[1]))
        return 1.0

    monkeypatch.setattr("benchmarks.flops._median_seconds", second)
    one_layer = forward_flops(Shape(1, 32, 64), np.array([1] * 10)) - 10 * 4 * 32  # no attention
    rate = matrix_rate(SHAPE, 10, torch.float32, "cpu", training=True, times=1)
    assert len(products) == 18
    assert rate == pytest.approx(3 * one_layer / 18)


def test_tokens_of_a_batch_are_counted_task_by_task() -> None:
    # batches of two rows of like length: 1+2, 3 | 10+20
    assert batch_tokens([np.array([3, 1, 2]), np.array([20, 10])], 2) == 3
