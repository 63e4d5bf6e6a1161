"""Dropout from 16-bit draws is dropout: shares, expectation, independence, gradient, seed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mtkd.layers import BitDropout, dropout, use_fast_dropout

N = 400_000
TYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(3)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_that_is_kept_is_1_minus_p(p: float, dtype: torch.dtype) -> None:
    found = dropout(torch.ones(N, dtype=dtype), p)
    error = (p * (1 - p) / N) ** 0.5
    assert abs((found == 0).double().mean().item() - p) < 5 * error
    assert found.dtype is dtype
    kept = found[found != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)), rtol=1e-2, atol=0)


@pytest.mark.parametrize("p", [0.1, 0.3, 1 / 7])
def test_the_expectation_is_exact_though_p_is_rounded(p: float) -> None:
    """What is kept of 65,536 equally probable draws, times the scale, is 65,536."""
    scale = dropout(torch.ones(1000, dtype=torch.float64), p).max().item()
    kept = 65536 / scale
    assert kept == pytest.approx(round(kept), abs=1e-6)
    assert kept == pytest.approx(65536 * (1 - p), abs=0.5)


def test_elements_that_come_from_one_draw_are_independent() -> None:
    """Four neighbours share 64 random bits; each pair is kept together in 1/4 of the cases."""
    kept = (dropout(torch.ones(N), 0.5) != 0).double().view(-1, 4)
    together = kept.T @ kept / len(kept)
    expected = torch.full((4, 4), 0.25, dtype=torch.float64).fill_diagonal_(0.5)
    torch.testing.assert_close(together, expected, rtol=0, atol=5 * 0.5 / len(kept) ** 0.5)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_the_gradient_goes_where_the_value_went(dtype: torch.dtype) -> None:
    values = torch.ones(5, 7, 3, dtype=dtype, requires_grad=True)
    out = dropout(values, 0.4)
    out.backward(torch.ones_like(out))
    assert torch.equal(values.grad, out.detach())


@pytest.mark.parametrize("shape", [(), (1,), (3,), (5, 7), (2, 0)])
def test_any_shape_goes_through(shape: tuple[int, ...]) -> None:
    assert dropout(torch.ones(shape), 0.1).shape == shape


def test_a_transposed_tensor_keeps_its_values_in_place() -> None:
    values = torch.arange(1.0, 13.0).view(3, 4).bfloat16().T
    found = dropout(values, 0.5)
    assert torch.equal(found[found != 0], 2 * values[found != 0])


def test_the_input_is_left_as_it_was() -> None:
    values = torch.ones(100)
    dropout(values, 0.5)
    assert torch.equal(values, torch.ones(100))


def test_the_seed_fixes_what_is_dropped() -> None:
    def draw(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return dropout(torch.ones(1000), 0.3)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    assert not torch.equal(draw(1), dropout(torch.ones(1000), 0.3))  # the next draw is another


def test_checkpointing_drops_the_same_again() -> None:
    def gradient(recompute: bool) -> Tensor:
        torch.manual_seed(5)
        values = torch.ones(200, requires_grad=True)

        def layer(x: Tensor) -> Tensor:
            return dropout(x, 0.5).square()

        out = checkpoint(layer, values, use_reentrant=False) if recompute else layer(values)
        out.sum().backward()
        return values.grad

    assert torch.equal(gradient(True), gradient(False))


def test_evaluation_and_p_0_pass_through() -> None:
    values = torch.ones(10)
    assert BitDropout(0.5).eval()(values) is values
    assert BitDropout(0.0).train()(values) is values


def test_every_dropout_of_a_model_is_replaced_and_no_weight() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.2), nn.Sequential(nn.Dropout(0.3))).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    use_fast_dropout(model)
    found = [m for m in model.modules() if isinstance(m, nn.Dropout)]
    assert [type(m) for m in found] == [BitDropout, BitDropout]
    assert [m.p for m in found] == [0.2, 0.3]
    assert not any(m.training for m in found)
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
