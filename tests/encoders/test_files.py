"""An encoder from anyone is data: nothing of it is run, and it cannot claim more than it holds."""

import contextlib
import json
import logging
import re
import resource
import shlex
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mtkd.encoders import encoder_folder, load_encoder, load_tokenizer, max_positions
from mtkd.encoders.files import check_encoder
from mtkd.errors import EncoderError
from mtkd.recipe import EncoderSettings


def settings(encoder: object) -> EncoderSettings:
    return EncoderSettings(encoder=str(encoder))


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


def load_all(folder: Path) -> None:
    load_encoder(settings(folder))
    load_tokenizer(str(folder))
    max_positions(str(folder))


def fault(folder: Path) -> str:
    with pytest.raises(EncoderError) as caught:
        load_all(folder)
    assert len(str(caught.value)) < 1_000
    return str(caught.value)


def test_the_encoder_that_the_spoilt_ones_are_made_from_is_whole(copy):
    load_all(copy)


# --- weights --------------------------------------------------------------------------------------


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.made,)


def test_a_pickle_is_never_read_even_beside_safetensors(copy, tmp_path):
    made = tmp_path / "made"
    torch.save({"a": Evil(made)}, copy / "pytorch_model.bin")
    load_all(copy)
    encoder_folder.cache_clear()
    (copy / "model.safetensors").unlink()
    assert "no safetensors weights in" in fault(copy)
    assert not made.exists()


def test_a_config_cannot_name_a_pickle_as_its_weights(copy, tmp_path):
    """transformers' own key for it takes adapter_model.bin."""
    made = tmp_path / "made"
    torch.save({"a": Evil(made)}, copy / "adapter_model.bin")
    edit(copy / "config.json", transformers_weights="adapter_model.bin")
    assert "transformers_weights: another file of weights than the usual" in fault(copy)
    assert not made.exists()


def convert(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command that the error gives, where the error says."""
    found = re.search(r"Convert, in (.*?): python (-c \".*\")$", fault(folder))
    assert found is not None
    return subprocess.run(
        [sys.executable, *shlex.split(found.group(2))],
        cwd=found.group(1),
        capture_output=True,
        text=True,
    )


def test_the_error_for_a_pickle_says_how_to_convert_it_and_that_works(copy):
    weights = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    names = sorted(weights)
    shared = weights[names[0]]  # safetensors refuses weights that share memory, as tied ones do
    for i in range(2):
        part = {name: weights[name] for name in names[i::2]}
        torch.save({**part, f"tied.{i}": shared}, copy / f"pytorch_model-{i}.bin")
    assert convert(copy).returncode == 0
    loaded = load_encoder(settings(copy)).state_dict()
    assert all(torch.equal(loaded[name], weights[name]) for name in names)


def test_converting_runs_no_code_from_the_pickle(copy, tmp_path):
    made = tmp_path / "made"
    (copy / "model.safetensors").unlink()
    torch.save({"a": Evil(made)}, copy / "pytorch_model.bin")
    assert "weights_only" in convert(copy).stderr.lower()
    assert not made.exists()
    assert not (copy / "model.safetensors").exists()


def test_without_any_weights_the_error_says_where_to_get_them(copy):
    (copy / "model.safetensors").unlink()
    assert "hf download ID --local-dir DIR" in fault(copy)


def header(content: object, claimed: int | None = None, rest: bytes = b"") -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(text) if claimed is None else claimed) + text + rest


ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x" * 99,
        header({}, claimed=2**60),
        header({}, claimed=2**63),
        header({}, claimed=100_000_000),
        header(b"{"),
        header(b"[" * 100_000),
        header(b'{"a":' * 100_000),
        header(b"\xff" * 9),
        header([1]),
        header({"a": 1}),
        header({"a": ONE}),  # no data
        header({"a": ONE | {"data_offsets": [0, 2**40]}}, rest=b"x" * 8),
        header({"a": ONE | {"data_offsets": [8, 0]}}, rest=b"x" * 8),
        header({"a": ONE | {"data_offsets": [-8, 0]}}, rest=b"x" * 8),
        header({"a": ONE | {"data_offsets": [8, 16]}}, rest=b"x" * 16),  # a hole
        header({"a": ONE | {"shape": [3]}}, rest=b"x" * 8),
        header({"a": ONE | {"shape": [-2]}}, rest=b"x" * 8),
        header({"a": ONE | {"shape": [2**40, 2**40]}}, rest=b"x" * 8),
        header({"a": ONE | {"dtype": "F64"}}, rest=b"x" * 8),
        header({"a": ONE | {"dtype": "object"}}, rest=b"x" * 8),
        header({"a": ONE, "b": ONE}, rest=b"x" * 8),  # both the same bytes
        header({"a": ONE}, rest=b"x" * 99),  # more data than it says
    ],
)
def test_a_safetensors_header_that_lies_is_an_error_that_names_the_file(content, copy):
    (copy / "model.safetensors").write_bytes(content)
    assert f"{copy / 'model.safetensors'} is not a whole safetensors file" in fault(copy)


def test_weights_of_another_kind_are_no_encoder(copy):
    save_file({"a": torch.zeros(2)}, copy / "model.safetensors")
    message = fault(copy)
    assert "config.json" in message or "weights are missing" in message


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"weight_map": {"a": "../../etc/x.safetensors"}}, "found '../../etc/x.safetensors'"),
        ({"weight_map": {"a": "/etc/x.safetensors"}}, "found '/etc/x.safetensors'"),
        ({"weight_map": {"a": "pytorch_model.bin"}}, "found 'pytorch_model.bin'"),
        ({"weight_map": {"a": "a\0.safetensors"}}, "found 'a\\x00.safetensors'"),
        ({"weight_map": {"a": 5}}, "found 5"),
        ({"weight_map": {"a": "other.safetensors"}}, "names other.safetensors, which is not there"),
        ({"weight_map": {}}, "expected a weight_map"),
        ({"weight_map": [1]}, "expected a weight_map"),
        ({}, "expected a weight_map"),
    ],
)
def test_an_index_names_files_beside_it(index, message, copy):
    (copy / "model.safetensors").rename(copy / "model-00001-of-00001.safetensors")
    (copy / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    assert message in fault(copy)


def test_an_encoder_in_shards_is_loaded(copy):
    weights = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    shards: dict[str, str] = {}
    for i in range(2):
        shard = f"model-0000{i + 1}-of-00002.safetensors"
        part = {name: weights[name] for name in sorted(weights)[i::2]}
        save_file(part, copy / shard, metadata={"format": "pt"})
        shards |= dict.fromkeys(part, shard)
    index = {"metadata": {}, "weight_map": shards}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    load_all(copy)


def test_files_that_are_not_the_encoders_are_left_alone(copy):
    (copy / "modules.json").write_text('[{"idx": 0}]', "utf-8")  # sentence-transformers'
    (copy / "notes.json").write_text("{", "utf-8")
    (copy / "1_Pooling").mkdir()
    load_all(copy)


@pytest.mark.parametrize(
    "kind",
    ["albert", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet", "roberta",
     "xlm-roberta"],
)  # fmt: skip
def test_honest_encoders_of_other_kinds_are_loaded(kind, tmp_path):
    from transformers import AutoConfig, AutoModel

    size = {"dim": 8, "n_heads": 2, "n_layers": 2, "hidden_dim": 16} if kind == "distilbert" else {
        "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 16
    }  # fmt: skip
    config = AutoConfig.for_model(kind, vocab_size=20, pad_token_id=0, **size)
    AutoModel.from_config(config).save_pretrained(tmp_path)
    assert load_encoder(settings(tmp_path)).config.model_type == kind


def test_links_to_weights_are_followed_as_the_hubs_cache_has_them(copy, tmp_path):
    (copy / "model.safetensors").rename(tmp_path / "blob")
    (copy / "model.safetensors").symlink_to(tmp_path / "blob")
    load_all(copy)


def test_an_adapter_is_no_encoder(copy):
    """transformers would load the model that it names, from the hub if need be."""
    (copy / "adapter_config.json").write_text('{"base_model_name_or_path": "a/b"}', "utf-8")
    assert "holds an adapter" in fault(copy)


# --- config.json ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b"\xff",
        b"[" * 1_000_000,
        b'{"a":' * 500_000,
        b'{"a": ' + b"9" * 5_000 + b"}",
        b'{"a": "' + b"x" * 2**22 + b'"}',
    ],
    ids=range(9),
)
def test_json_that_is_broken_deep_or_huge_is_an_error_that_names_the_file(name, content, copy):
    (copy / name).write_bytes(content)
    assert str(copy / name) in fault(copy)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "vocab.txt", "merges.txt",
                                  "special_tokens_map.json", "sentencepiece.model"])  # fmt: skip
def test_a_file_of_100_megabytes_is_an_error_before_it_is_read(name, copy):
    with (copy / name).open("ab") as file:
        file.truncate(100 * 2**20)
    message = fault(copy)
    assert f"{copy / name}: expected at most" in message
    assert "found 104,857,600" in message


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_size": 10**9},
        {"hidden_size": 10**12},
        {"vocab_size": 10**9},
        {"intermediate_size": 10**9},
        {"max_position_embeddings": 10**9},
        {"type_vocab_size": 10**9},
        {"num_hidden_layers": 10**9},
        {"num_hidden_layers": 10**4},
        {"num_attention_heads": 10**9},
        {"num_labels": 10**9},
        {"id2label": {str(i): "x" for i in range(9)}, "num_labels": 10**8},
        {"hidden_size": 10**4, "intermediate_size": 10**5},
        {"hidden_size": -1},
        {"hidden_size": 0},
        {"hidden_size": "x"},
        {"hidden_size": 32.5},
        {"hidden_size": None},
        {"hidden_size": [1]},
        {"hidden_size": True},
        {"num_attention_heads": 0},
        {"num_attention_heads": 5},
        {"num_hidden_layers": -1},
        {"vocab_size": 0},
        {"hidden_act": "os.system"},
        {"hidden_act": {"a": 1}},
        {"layer_norm_eps": "x"},
        {"hidden_dropout_prob": 9},
        {"pad_token_id": 10**6},
        {"model_type": 5},
        {"model_type": "../bert"},
        {"model_type": "no\nsuch\x1b[31m"},
        {"model_type": "albert", "num_hidden_groups": 10**9},
        {"model_type": "distilbert", "n_layers": 10**9},
        {"model_type": "distilbert", "sinusoidal_pos_embds": True, "dim": 10**5,
         "max_position_embeddings": 10**5},
        {"model_type": "funnel", "block_sizes": [10**9]},
        {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}},
        {"attn_implementation": "somebody/kernel"},
        {"_attn_implementation": "somebody/kernel"},
        {"attn_implementation": "no_such"},
        {"dtype": "no_such"},
        {"tokenizer_class": "AutoModel"},
        {"architectures": [5]},
        {"id2label": {"x": 1}},
    ],
    ids=str,
)  # fmt: skip
def test_a_config_that_lies_is_an_error_or_an_encoder_before_memory_is_taken(changes, copy):
    edit(copy / "config.json", **changes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(EncoderError):
        load_all(copy)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) * (1 if sys.platform == "darwin" else 1024) < 400 * 2**20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_hidden_layers": 10**9}, "num_hidden_layers: expected at most 64"),
        ({"num_hidden_layers": -1}, "num_hidden_layers: expected 1 or more, found -1"),
        ({"num_hidden_layers": 0}, "num_hidden_layers: expected 1 or more, found 0"),
        ({"num_labels": 10**9}, "num_labels: expected at most 100000"),
        ({"hidden_size": 10**9}, "cannot be in files of"),
        ({"intermediate_size": 10**8}, "cannot be in files of"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised weights"),
        ({"attn_implementation": "somebody/kernel"}, "names code on the hub"),
        ({"text_config": {"attn_implementation": "somebody/kernel"}}, "names code on the hub"),
    ],
    ids=str,
)
def test_what_a_config_claims_is_held_against_its_weights(changes, message, copy):
    edit(copy / "config.json", **changes)
    with pytest.raises(EncoderError, match=message):
        check_encoder(copy, str(copy))


def test_what_no_known_key_says_is_seen_when_the_model_is_built_without_memory(copy, monkeypatch):
    """Without the first look at the config, the second sees that it describes too much."""
    from mtkd.encoders import files

    monkeypatch.setattr(files, "_check_config", lambda *args: None)
    edit(copy / "config.json", intermediate_size=10**7)
    assert re.search(
        r"describes a model of 1,\d{3},\d{3},\d{3} weights, but the files hold", fault(copy)
    )


# --- tokenizers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b"{}",
        b'{"version": "1.0"}',
        b'{"version": "1.0", "model": {"type": "WordPiece"}}',
        b'{"version": "1.0", "model": {"type": "no such", "vocab": {}}}',
        b'{"version": "1.0", "model": {"type": "BPE", "vocab": {"a": -1}, "merges": ["a b"]}}',
        b'{"version": "1.0", "added_tokens": [{"id": 99999999999999999999}], "model": {}}',
        b"[" * 1_000_000,
        b'{"model":' * 200_000,
        b"\xff\x00",
    ],
    ids=range(13),
)
def test_a_tokenizer_that_is_broken_is_an_error(content, copy):
    (copy / "tokenizer.json").write_bytes(content)
    with pytest.raises(EncoderError, match="its tokenizer cannot be loaded"):
        load_tokenizer(str(copy))


@pytest.mark.parametrize(
    "changes",
    [
        {"tokenizer_class": "AutoModel"},
        {"tokenizer_class": "AutoTokenizer"},
        {"tokenizer_class": "pipeline"},
        {"tokenizer_class": "os.system"},
        {"tokenizer_class": ["BertTokenizer"]},
        {"tokenizer_class": "NoSuchTokenizer", "auto_map": {"AutoTokenizer": ["own.T", "own.F"]}},
        {"auto_map": 5},
        {"auto_map": {"AutoTokenizer": 5}},
        {"auto_map": ["own.T", "own.F"]},
        {"model_max_length": "x"},
        {"added_tokens_decoder": 5},
        {"extra_special_tokens": 5},
        {"chat_template": 5},
        {"init_inputs": 5},
        {"pad_token": 5},
    ],
    ids=str,
)
def test_a_tokenizers_settings_are_data_or_an_error(changes, copy, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question="": asked.append(question) or "y")
    (copy / "own.py").write_text("raise SystemExit('code was run')\n", "utf-8")
    edit(copy / "tokenizer_config.json", **changes)
    with contextlib.suppress(EncoderError):
        load_tokenizer(str(copy))
    assert asked == []


@pytest.mark.parametrize("length", ["x", -1, 0, True, [1]])
def test_a_tokenizers_greatest_length_is_a_number(length, copy):
    edit(copy / "tokenizer_config.json", model_max_length=length)
    with pytest.raises(EncoderError):
        load_tokenizer(str(copy))


@pytest.mark.parametrize("name", ["AutoModel", "AutoTokenizer", "pipeline"])
@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_tokenizers_class_is_that_of_a_tokenizer(file, name, copy):
    """Any class of transformers would be taken, those that ask whether to run code included."""
    edit(copy / file, tokenizer_class=name)
    assert f"{copy / file}: tokenizer_class: expected a tokenizer" in fault(copy)


def test_code_that_comes_with_an_encoder_transformers_has_itself_is_left_alone(copy, caplog):
    (copy / "own.py").write_text("raise SystemExit('code was run')\n", "utf-8")
    edit(copy / "config.json", auto_map={"AutoConfig": "own.C", "AutoModel": "own.M"})
    edit(copy / "tokenizer_config.json", auto_map={"AutoTokenizer": [None, "own.T"]})
    with caplog.at_level(logging.WARNING, logger="mtkd"):
        load_all(copy)
    assert caplog.text.count("names code of its own (auto_map), which mtkd never runs") == 2


def test_a_name_that_no_folder_can_have_is_an_error():
    for encoder in ("x" * 300, "a/" * 3_000, "~nobody-of-that-name/x"):
        with pytest.raises(EncoderError):
            encoder_folder(encoder)
