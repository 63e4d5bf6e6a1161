"""Every microsecond of a profile is in one group."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmarks.where import DATA, OPTIMISER, PYTHON, REST, group_of, grouped


def event(name: str, above: object = None, us: float = 1.0) -> SimpleNamespace:
    return SimpleNamespace(name=name, cpu_parent=above, us=us)


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("aten::addmm", "matrix products"),
        ("aten::mm", "matrix products"),
        ("aten::_scaled_dot_product_flash_attention_for_cpu", "attention products and softmax"),
        ("aten::_softmax", "attention products and softmax"),
        ("aten::native_dropout", "dropout"),
        ("aten::bernoulli_", "dropout"),
        ("aten::_foreach_norm", OPTIMISER),
        ("aten::native_layer_norm_backward", "layer norm, GELU, adds"),
        ("aten::gelu", "layer norm, GELU, adds"),
        ("aten::add_", "layer norm, GELU, adds"),
        ("aten::copy_", "casts and copies"),
        ("aten::_to_copy", "casts and copies"),
        ("aten::embedding_dense_backward", "embeddings"),
        ("something else", REST),
    ],
)
def test_operators_have_plain_names(name: str, group: str) -> None:
    assert group_of(event(name)) == group


def test_what_the_optimiser_calls_is_the_optimisers() -> None:
    step = event("Optimizer.step#Adamax.step")
    assert group_of(event("aten::mul_", event("aten::lerp_", step))) == OPTIMISER


def test_what_makes_a_batch_is_data() -> None:
    assert group_of(event("aten::copy_", event("benchmark: a batch"))) == DATA


def test_shares_add_up_to_the_whole() -> None:
    events = [event("aten::mm", us=30.0), event("aten::mm", us=10.0), event("aten::gelu", us=20.0)]
    found = grouped(events, "us", 100.0)
    assert found == {
        "matrix products": pytest.approx(0.4),
        PYTHON: pytest.approx(0.4),
        "layer norm, GELU, adds": pytest.approx(0.2),
    }
