"""A saved model is the model, its encoder is plain transformers, and heads stand by themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModel,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    PreTrainedConfig,
    RobertaConfig,
)

from mtkd.encoders import load_tokenizer
from mtkd.errors import EncoderError, ShapeError
from mtkd.model import MultiTaskModel, add_head, build_model, head_config
from mtkd.recipe import EncoderSettings, HeadSettings
from tests.rows import QNLI, RTE, SST2, STSB
from tests.widening import widen

SIZES = {"vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 24, "max_position_embeddings": 40}  # fmt: skip
CONFIGS: dict[str, PreTrainedConfig] = {
    "bert": BertConfig(**SIZES),
    "roberta": RobertaConfig(**SIZES, type_vocab_size=1, pad_token_id=1),
    "distilbert": DistilBertConfig(
        vocab_size=60, dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=40
    ),
    "electra": ElectraConfig(**SIZES, embedding_size=8),
    "deberta-v2": DebertaV2Config(
        **SIZES, relative_attention=True, position_buckets=8, pos_att_type=["c2p", "p2c"]
    ),
    "modernbert": ModernBertConfig(
        **SIZES,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        cls_token_id=1,
        sep_token_id=2,
        local_attention=8,
    ),
}
HEADS = {
    "rte": (RTE, HeadSettings(type="san", steps=3)),
    "sst2": (SST2, HeadSettings(type="linear", pooling="mean")),
    "qnli": (QNLI, HeadSettings(type="ranking", pooling="first")),
    "stsb": (STSB, HeadSettings(type="linear", pooling="first")),
}


def inputs() -> dict[str, Tensor]:
    """Three pairs of different lengths, padded to 16."""
    lengths = torch.tensor([16, 11, 7])
    real = torch.arange(16) < lengths.unsqueeze(1)
    ids = torch.randint(5, 60, (3, 16), generator=torch.Generator().manual_seed(0))
    segments = torch.where(torch.arange(16) < 5, 1, 2).expand(3, 16).masked_fill(~real, 0)
    segments[:, 0] = 0
    return {
        "input_ids": ids.masked_fill(~real, 1),
        "attention_mask": real.long(),
        "segments": segments,
    }


def encoder(architecture: str) -> torch.nn.Module:
    torch.manual_seed(0)
    config = AutoConfig.for_model(**CONFIGS[architecture].to_dict())
    return AutoModel.from_config(config, dtype=torch.float32)


def full_model(architecture: str) -> MultiTaskModel:
    heads = {name: head_config(task, settings) for name, (task, settings) in HEADS.items()}
    model = MultiTaskModel(encoder(architecture), heads).eval()
    widen(model)
    return model


@pytest.mark.parametrize("architecture", CONFIGS)
def test_a_loaded_model_gives_the_same_logits_to_the_bit(
    architecture: str, tmp_path: Path, tiny_encoder: str
) -> None:
    model = full_model(architecture)
    model.save(tmp_path, load_tokenizer(tiny_encoder))
    loaded = MultiTaskModel.load(tmp_path)
    assert not loaded.training
    assert loaded.head_configs == model.head_configs
    with torch.no_grad():
        for name, (task, _) in HEADS.items():
            logits = model(name, **inputs())
            assert logits.shape == (3, task.num_outputs)
            assert logits.dtype == torch.float32
            assert torch.equal(loaded(name, **inputs()), logits)


@pytest.mark.parametrize("architecture", CONFIGS)
def test_transformers_alone_loads_the_encoder(
    architecture: str, tmp_path: Path, tiny_encoder: str
) -> None:
    model = full_model(architecture)
    model.save(tmp_path, load_tokenizer(tiny_encoder))
    alone, info = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    assert all(key.startswith("heads.") for key in info["unexpected_keys"])
    assert type(alone) is type(model.encoder)
    plain = {name: tensor for name, tensor in inputs().items() if name != "segments"}
    with torch.no_grad():
        found, expected = alone(**plain), model.encoder(**plain)
    for name in ("last_hidden_state", "pooler_output"):
        if name in expected:  # mtkd's attention adds in another order
            torch.testing.assert_close(found[name], expected[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize("architecture", CONFIGS)
def test_every_head_trains_and_pads_are_not_read(architecture: str) -> None:
    model = full_model(architecture)
    changed = inputs()
    changed["input_ids"] = changed["input_ids"].masked_fill(changed["attention_mask"] == 0, 7)
    for name in HEADS:
        model.zero_grad()
        logits = model(name, **inputs())
        logits.square().sum().backward()
        found = [p.grad for p in model.heads[name].parameters()]
        assert all(grad is not None and grad.abs().sum() > 0 for grad in found)
        assert any(p.grad is not None and p.grad.any() for p in model.encoder.parameters())
        others = [head for other, head in model.heads.items() if other != name]
        assert all(p.grad is None for head in others for p in head.parameters())
        if architecture != "roberta":  # its positions are counted from the pads it finds
            torch.testing.assert_close(model(name, **changed), logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize("architecture", CONFIGS)
def test_an_encoder_can_be_trained_after_it_was_evaluated(architecture: str) -> None:
    """What an encoder caches in a forward pass without gradients must not end up in one with."""
    model = full_model(architecture)
    with torch.no_grad():
        model("stsb", **inputs())
    model.train()("stsb", **inputs()).sum().backward()


def build(path: str, tasks: list, seed: int = 3, **settings: float) -> MultiTaskModel:
    return build_model(EncoderSettings(encoder=path, **settings), {t.name: t for t in tasks},
                       {}, seed)  # fmt: skip


def test_the_start_of_a_head_does_not_depend_on_the_other_tasks(tiny_encoder: str) -> None:
    alone = build(tiny_encoder, [RTE]).heads["rte"].state_dict()
    among = build(tiny_encoder, [STSB, RTE, QNLI, SST2]).heads["rte"].state_dict()
    assert all(torch.equal(alone[name], among[name]) for name in alone)


def test_heads_of_different_tasks_and_seeds_start_differently(tiny_encoder: str) -> None:
    one = build(tiny_encoder, [RTE, SST2])
    other = build(tiny_encoder, [RTE], seed=4)
    starts = [one.heads["rte"], one.heads["sst2"], other.heads["rte"]]
    weights = [head.linear.weight for head in starts]
    assert not any(torch.equal(weights[i], weights[j]) for i, j in [(0, 1), (0, 2), (1, 2)])
    assert all(weight.std().item() == pytest.approx(0.02, rel=0.3) for weight in weights)


def test_dropouts_of_encoder_and_heads_are_set_apart(tiny_encoder: str, tmp_path: Path) -> None:
    heads = {"rte": HeadSettings(dropout=0.35)}
    settings = EncoderSettings(encoder=tiny_encoder, dropout=0.25)
    model = build_model(settings, {"rte": RTE, "stsb": STSB}, heads, 1)
    model.save(tmp_path, load_tokenizer(tiny_encoder))
    for found in (model, MultiTaskModel.load(tmp_path)):
        dropouts = [m for m in found.encoder.modules() if isinstance(m, torch.nn.Dropout)]
        assert dropouts
        assert {m.p for m in dropouts} == {0.25}
        assert found.heads["rte"].dropout.p == 0.35
        assert found.heads["stsb"].dropout.p == STSB.head.dropout == 0.1


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("heads.rte.linear.bias", "drop"),
        ("encoder.layer.1.output.dense.weight", "drop"),
        ("heads.cola.linear.bias", "add"),
        ("encoder.layer.7.output.dense.weight", "add"),
        ("heads.rte.linear.weight", "transpose"),
    ],
)
def test_weights_that_are_not_the_models_are_refused(
    tiny_encoder: str, tmp_path: Path, key: str, change: str
) -> None:
    build(tiny_encoder, [RTE]).save(tmp_path, load_tokenizer(tiny_encoder))
    tensors = load_file(tmp_path / "model.safetensors")
    if change == "drop":
        del tensors[key]
    elif change == "add":
        tensors[key] = torch.zeros(2)
    else:
        tensors[key] = tensors[key].T.contiguous()
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=key):
        MultiTaskModel.load(tmp_path)


def test_a_cut_off_file_is_refused(tiny_encoder: str, tmp_path: Path) -> None:
    build(tiny_encoder, [RTE]).save(tmp_path, load_tokenizer(tiny_encoder))
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(EncoderError, match=r"model\.safetensors: cannot be read"):
        MultiTaskModel.load(tmp_path)


def test_what_is_no_model_of_mtkd_is_refused(tiny_encoder: str, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="no heads of mtkd"):
        MultiTaskModel.load(Path(tiny_encoder))
    with pytest.raises(EncoderError, match=r"no config\.json"):
        MultiTaskModel.load(tmp_path / "nowhere")


def test_a_task_without_a_head_is_named(tiny_encoder: str) -> None:
    with pytest.raises(ShapeError, match=r"no head for task cola; there are heads for \['rte'\]"):
        build(tiny_encoder, [RTE])("cola", **inputs())


def test_config_says_what_each_output_means(tiny_encoder: str, tmp_path: Path) -> None:
    build(tiny_encoder, [RTE, STSB]).save(tmp_path, load_tokenizer(tiny_encoder))
    heads = json.loads((tmp_path / "config.json").read_text("utf-8"))["mtkd"]["heads"]
    assert heads["rte"]["labels"] == ["entailment", "not_entailment"]
    assert (heads["stsb"]["labels"], heads["stsb"]["outputs"]) == ([], 1)


def test_a_new_head_takes_the_place_of_an_old_one(tiny_encoder: str, tmp_path: Path) -> None:
    model = build(tiny_encoder, [RTE, STSB])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    add_head(model, RTE, HeadSettings(type="san"), seed=9)
    model.save(tmp_path, load_tokenizer(tiny_encoder))
    loaded = MultiTaskModel.load(tmp_path)
    assert loaded.head_configs["rte"]["type"] == "san"
    kept = [name for name in before if not name.startswith("heads.rte")]
    assert all(torch.equal(loaded.state_dict()[name], before[name]) for name in kept)


def test_loading_draws_no_random_numbers(tiny_encoder: str, tmp_path: Path) -> None:
    build(tiny_encoder, [RTE]).save(tmp_path, load_tokenizer(tiny_encoder))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    MultiTaskModel.load(tmp_path)
    assert torch.equal(torch.rand(3), expected)
