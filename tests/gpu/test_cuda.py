"""What the tests elsewhere show on a CPU holds on a CUDA device; without one they are skipped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from mtkd.devices import resolve_precision, start_accelerator
from mtkd.errors import Interrupted
from mtkd.inference import predict
from mtkd.model import build_model
from mtkd.recipe import EncoderSettings
from mtkd.training.journal import Journal
from tests.rows import RTE, make_examples, prepare
from tests.training.small import Small, after_step, same, small, terminate, weights
from tests.widening import widen

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(scope="module")
def tiny(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Small:
    return small(tiny_encoder, tmp_path_factory.mktemp("rows"))


@pytest.fixture
def exact_matrix_products() -> None:
    torch.backends.cuda.matmul.allow_tf32 = False


@contextmanager
def cpu_only() -> Iterator[None]:
    """Accelerators made within are of the CPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCELERATE_USE_CPU", "true")
        AcceleratorState._reset_state(reset_partial_state=True)
        yield
    AcceleratorState._reset_state(reset_partial_state=True)


def test_bf16_trains_on_the_device_with_float32_weights(tiny: Small, tmp_path: Path) -> None:
    assert resolve_precision("auto") == "bf16"
    model = tiny.model([tiny.task("rte")])
    before = weights(model)
    model, progress = tiny.fit(
        tmp_path, tasks=[tiny.task("rte")], model=model, dropout=0.0, epochs=30, precision="bf16",
        batch_size=16, log_every=1,
    )  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert progress.step == 30
    assert sum(losses[-5:]) < sum(losses[:5])
    after = weights(model)
    assert {w.dtype for w in after.values() if w.is_floating_point()} == {torch.float32}
    assert {w.device.type for w in after.values()} == {"cuda"}
    assert all(w.isfinite().all() for w in after.values())
    assert not same({n: w.cpu() for n, w in after.items()}, before)


def test_clipping_bounds_the_gradient_on_the_device(tiny: Small, tmp_path: Path) -> None:
    norms: list[float] = []

    def record(optimizer: torch.optim.Optimizer, *_: object) -> None:
        grads = [p.grad for g in optimizer.param_groups for p in g["params"] if p.grad is not None]
        norms.append(torch.linalg.vector_norm(torch.stack([g.norm() for g in grads])).item())

    handle = register_optimizer_step_pre_hook(record)
    try:
        tiny.fit(tmp_path, clip_norm=0.01, epochs=1, precision="bf16")
    finally:
        handle.remove()
    assert norms
    assert all(norm == pytest.approx(0.01, rel=1e-2) for norm in norms)


@pytest.mark.usefixtures("exact_matrix_products")
def test_training_in_fp32_is_that_of_the_cpu(tiny: Small, tmp_path: Path) -> None:
    options = {"dropout": 0.0, "epochs": 1, "learning_rate": 1e-4, "keep": "best"}
    gpu, _ = tiny.fit(tmp_path / "gpu", **options)
    with cpu_only():
        cpu, _ = tiny.fit(tmp_path / "cpu", **options)
    assert next(cpu.parameters()).device.type == "cpu"
    for name, weight in weights(cpu).items():
        # its true gradient is zero, and Adamax makes steps of what rounding leaves
        if not name.endswith("key.bias"):
            found = gpu.state_dict()[name].cpu()
            torch.testing.assert_close(found, weight, rtol=0, atol=2e-5)


@pytest.mark.usefixtures("exact_matrix_products")
def test_logits_are_those_of_the_cpu(tiny_encoder: str, tmp_path: Path) -> None:
    split = prepare(make_examples(RTE, 23), tiny_encoder, tmp_path / "rte.arrow")
    model = build_model(EncoderSettings(encoder=tiny_encoder), {"rte": RTE}, {}, 1)
    widen(model)
    gpu = predict(model, "rte", split, start_accelerator("fp32"))
    with cpu_only():
        cpu = predict(model, "rte", split, start_accelerator("fp32"))
    np.testing.assert_allclose(gpu, cpu, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_resumed_run_ends_like_one_that_was_not_stopped(
    tiny: Small, tmp_path: Path, precision: str
) -> None:
    whole, expected = tiny.fit(tmp_path / "whole", precision=precision)
    with after_step(9, terminate), pytest.raises(Interrupted):
        tiny.fit(tmp_path / "cut", precision=precision)
    resumed, progress = tiny.fit(tmp_path / "cut", precision=precision)
    assert progress.step == expected.step
    for name, weight in weights(whole).items():
        if not name.endswith("key.bias"):  # embeddings' gradients are summed in any order
            torch.testing.assert_close(resumed.state_dict()[name], weight, rtol=0, atol=1e-4)


def test_a_step_waits_for_the_device_only_to_log(tiny: Small, tmp_path: Path) -> None:
    """PyTorch raises at whatever makes the host wait, from the second step to the log's."""

    def forbid(*_: object) -> None:
        torch.cuda.set_sync_debug_mode("error")

    def allow(*_: object) -> None:
        torch.cuda.set_sync_debug_mode("default")

    handle = register_optimizer_step_post_hook(forbid)
    before = Journal.flush
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "flush", lambda self: (allow(), before(self))[1])
        try:
            tiny.fit(tmp_path, epochs=1, log_every=100, precision="bf16")
        finally:
            handle.remove()
            allow()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_without_padding_logits_are_the_same(
    tiny_encoder: str, tmp_path: Path, precision: str
) -> None:
    split = prepare(make_examples(RTE, 23), tiny_encoder, tmp_path / "rte.arrow")
    model = build_model(EncoderSettings(encoder=tiny_encoder), {"rte": RTE}, {}, 1)
    widen(model)
    expected = predict(model, "rte", split, start_accelerator(precision))
    with model.without_padding():
        found = predict(model, "rte", split, start_accelerator(precision))
    np.testing.assert_allclose(found, expected, atol=1e-4 if precision == "fp32" else 0.1)


def test_rows_that_do_not_fit_together_are_scored_in_smaller_batches(
    tiny_encoder: str, tmp_path: Path
) -> None:
    split = prepare(make_examples(RTE, 23), tiny_encoder, tmp_path / "rte.arrow")
    model = build_model(EncoderSettings(encoder=tiny_encoder), {"rte": RTE}, {}, 1)
    expected = predict(model, "rte", split, start_accelerator("fp32"))
    forward, sizes = model.forward, []

    def short_of_memory(task: str, segments: torch.Tensor, *rest: object, **inputs: torch.Tensor):
        sizes.append(segments.numel())
        if segments.numel() > 100:
            raise torch.OutOfMemoryError("made up")
        return forward(task, segments, *rest, **inputs)

    model.forward = short_of_memory  # type: ignore[method-assign]
    found = predict(model, "rte", split, start_accelerator("fp32"))
    assert max(sizes) > 100
    np.testing.assert_allclose(found, expected, atol=1e-4)
