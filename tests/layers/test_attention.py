"""Attention is transformers' own, in values and gradients; dropout is on the softmax."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from mtkd.layers import attention as module
from mtkd.layers import key_mask, use_fast_attention
from mtkd.layers.attention import attention


class Layer(nn.Module):
    is_causal = False


def tensors(tokens: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, 3, tokens, 8, generator=generator).requires_grad_() for _ in range(3)]


def padded(tokens: int) -> Tensor:
    mask = torch.ones(2, 1, tokens, tokens, dtype=torch.bool)
    mask[1, :, :, tokens // 2 :] = False
    return mask


@pytest.mark.parametrize("tokens", [5, 16, 33, 150])
@pytest.mark.parametrize("mask_of", [None, "each query", "all queries"])
def test_values_and_gradients_are_those_of_transformers(tokens: int, mask_of: str | None) -> None:
    mask = None if mask_of is None else padded(tokens)
    if mask is not None and mask_of == "all queries":
        mask = mask[:, :, :1]
    ours, theirs = tensors(tokens), tensors(tokens)
    found, _ = attention(Layer(), *ours, mask, scaling=8**-0.5)
    expected, _ = sdpa_attention_forward(Layer(), *theirs, mask, scaling=8**-0.5)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    for out in (found, expected):
        out.square().sum().backward()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=1e-5)


def test_masked_keys_are_not_looked_at() -> None:
    query, key, value = tensors(6)
    before, _ = attention(Layer(), query, key, value, padded(6), scaling=1.0)
    with torch.no_grad():
        key[1, :, 3:] += 5
        value[1, :, 3:] += 5
    after, _ = attention(Layer(), query, key, value, padded(6), scaling=1.0)
    assert torch.equal(before, after)


def test_dropout_is_on_the_weights_and_keeps_their_expectation() -> None:
    query, key, value = (t.detach() for t in tensors(6))
    expected, _ = attention(Layer(), query, key, value, None, scaling=1.0)
    torch.manual_seed(0)
    drawn = torch.stack(
        [attention(Layer(), query, key, value, None, 0.3, 1.0)[0] for _ in range(4000)]
    )
    error = drawn.std(0) / math.sqrt(len(drawn))
    assert (drawn.std(0) > 0).all()
    assert ((drawn.mean(0) - expected).abs() < 5.5 * error).all()


@pytest.mark.parametrize(
    "given", [{"is_causal": True}, {"position_bias": torch.zeros(1, 3, 6, 6)}, {"scaling": None}]
)
def test_what_it_does_not_know_goes_to_transformers(
    given: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []

    def theirs(*arguments: object, **options: object) -> tuple[Tensor, None]:
        called.append(options)
        return torch.zeros(1), None

    monkeypatch.setattr(module, "sdpa_attention_forward", theirs)
    attention(Layer(), *tensors(6), None, **{"dropout": 0.1, "scaling": 1.0, **given})
    assert len(called) == 1


def test_hidden_states_that_are_asked_for_do_not_send_it_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """transformers hands the wish down to every layer, and the fallback is slow."""
    bert = small_bert()
    use_fast_attention(bert)
    monkeypatch.setattr(module, "sdpa_attention_forward", None)
    ids = torch.arange(6).unsqueeze(0) + 5
    found = bert(ids, output_hidden_states=True)
    assert len(found.hidden_states) == 1 + bert.config.num_hidden_layers


def small_bert(**options: object) -> BertModel:
    config = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=32, **options,
    )  # fmt: skip
    return BertModel(config).eval()


def test_an_encoder_that_uses_sdpa_gets_it_and_says_nothing_of_it_on_disk() -> None:
    encoder = small_bert()
    expected = encoder(torch.tensor([[3, 4, 5]])).last_hidden_state
    use_fast_attention(encoder)
    assert encoder.config._attn_implementation == "mtkd"
    assert '"mtkd"' not in encoder.config.to_json_string()
    found = encoder(torch.tensor([[3, 4, 5]])).last_hidden_state
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_an_encoder_with_another_attention_keeps_it() -> None:
    encoder = small_bert(attn_implementation="eager")
    use_fast_attention(encoder)
    assert encoder.config._attn_implementation == "eager"


def test_encoders_whose_layers_see_all_tokens_get_a_mask_of_keys() -> None:
    encoder = small_bert()
    use_fast_attention(encoder)
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    assert torch.equal(key_mask(encoder, mask), mask.bool()[:, None, None, :])
    assert key_mask(encoder, mask[1:]) is None
    encoder.config.model_type = "modernbert"  # layers of its own see a window
    assert key_mask(encoder, mask) is mask
    assert key_mask(small_bert(), mask) is mask  # transformers' own attention, as it was


def test_pads_are_not_read_whatever_makes_the_mask() -> None:
    encoder = small_bert()
    use_fast_attention(encoder)
    ids = torch.tensor([[3, 4, 5, 6]])
    mask = torch.tensor([[1, 1, 1, 0]])
    expected = encoder(ids, attention_mask=mask).last_hidden_state[:, :3]
    found = encoder(ids, attention_mask=key_mask(encoder, mask)).last_hidden_state[:, :3]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    other = encoder(torch.tensor([[3, 4, 5, 9]]), attention_mask=key_mask(encoder, mask))
    assert torch.equal(other.last_hidden_state[:, :3], found)
