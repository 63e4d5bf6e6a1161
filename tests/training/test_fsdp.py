"""Two processes that each hold a part of the model (FSDP) do what one does, in half the memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.optim.optimizer import register_optimizer_step_post_hook
from transformers import AlbertConfig, AutoModel, BertConfig, DebertaV2Config, DistilBertConfig

from mtkd.devices import start_accelerator
from mtkd.errors import UserError
from mtkd.sharding import launcher_plugin, layer_classes
from tests.training.small import Small, weights
from tests.training.two_processes import (
    OPTIONS,
    bytes_held,
    expect_close,
    expect_trajectory,
    go,
    launch,
)

needs_gloo = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="needs torch.distributed with gloo",
)


@pytest.fixture(scope="module")
def launched(small: Small, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder that two processes wrote, and what each printed."""
    folder = tmp_path_factory.mktemp("fsdp")
    return folder, launch(small.encoder, folder, ACCELERATE_USE_FSDP="true", FSDP_VERSION="2")


@pytest.fixture(scope="module")
def alone(
    small: Small, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, torch.Tensor], list, list[int]]:
    """Folder, weights, history and bytes held at each step, of one process."""
    folder = tmp_path_factory.mktemp("alone")
    model = small.model([small.task(name) for name in small.splits], OPTIONS["dropout"])
    held: list[int] = []
    hook = register_optimizer_step_post_hook(lambda o, *_: held.append(bytes_held(model, o)))
    model, progress = go(small, folder, model)
    hook.remove()
    return folder, weights(model), progress.history, held


@needs_gloo
@pytest.mark.parametrize("run", ["straight", "resumed"])
def test_every_step_has_the_loss_of_one_process(launched: tuple, alone: tuple, run: str) -> None:
    expect_trajectory(launched[0] / run, alone[0])


@needs_gloo
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("run", ["straight", "resumed"])
def test_all_processes_end_with_the_whole_weights_of_one(
    launched: tuple, alone: tuple, run: str, rank: int
) -> None:
    expect_close(load_file(launched[0] / f"{run}-{rank}.safetensors"), alone[1])


@needs_gloo
def test_scores_are_those_of_all_rows(launched: tuple, alone: tuple) -> None:
    history = json.loads((launched[0] / "history.json").read_text("utf-8"))
    means = [entry["mean"] for entry in history]
    assert means == pytest.approx([entry["mean"] for entry in alone[2]], abs=1e-5)


@needs_gloo
def test_a_signal_to_one_process_stops_all(launched: tuple) -> None:
    assert [text.count("student: saved at step 6 of 20") for text in launched[1]] == [1, 1]


@needs_gloo
def test_a_process_holds_about_half_of_weights_gradients_and_optimiser(
    launched: tuple, alone: tuple
) -> None:
    both = [json.loads((launched[0] / f"held-{rank}.json").read_text("utf-8")) for rank in (0, 1)]
    for first, second, whole in zip(*both, alone[3], strict=True):
        assert max(first, second) < 0.6 * whole
        assert first + second >= whole


@pytest.fixture
def _launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `accelerate launch --use_fsdp --fsdp_version 2` sets, and restored afterwards."""
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_VERSION", "2")
    monkeypatch.setenv("FSDP_CPU_RAM_EFFICIENT_LOADING", "true")


@pytest.mark.usefixtures("_launcher")
def test_settings_of_the_launcher_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSDP_RESHARD_AFTER_FORWARD", "false")
    monkeypatch.setenv("FSDP_ACTIVATION_CHECKPOINTING", "true")
    plugin = launcher_plugin("fp32")
    assert (plugin.fsdp_version, plugin.reshard_after_forward) == (2, False)
    assert plugin.activation_checkpointing


@pytest.mark.usefixtures("_launcher")
def test_in_bf16_gradients_are_summed_in_fp32() -> None:
    plugin = launcher_plugin("bf16")
    plugin.set_mixed_precision("bf16")  # as accelerate does on GPUs
    assert plugin.mixed_precision_policy.param_dtype is torch.bfloat16
    assert plugin.mixed_precision_policy.reduce_dtype is torch.float32


@pytest.mark.usefixtures("_launcher")
def test_fsdp_1_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSDP_VERSION", "1")
    with pytest.raises(UserError, match="add --fsdp_version 2"):
        start_accelerator("fp32")


def test_without_the_launcher_nothing_is_sharded() -> None:
    assert launcher_plugin("bf16") is None


@pytest.mark.parametrize(
    ("config", "layer"),
    [
        (BertConfig, "BertLayer"),
        (DebertaV2Config, "DebertaV2Layer"),
        (DistilBertConfig, "TransformerBlock"),
        (AlbertConfig, "AlbertLayerGroup"),
    ],
)
def test_encoders_are_gathered_layer_by_layer(config: type, layer: str) -> None:
    tiny = config(vocab_size=50, hidden_size=8, embedding_size=8, dim=8, hidden_dim=8,
                  num_hidden_layers=2, intermediate_size=8, num_attention_heads=2)  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        encoder = AutoModel.from_config(tiny)
    assert layer_classes(torch.nn.ModuleDict({"encoder": encoder})) == [layer]
