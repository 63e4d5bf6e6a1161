import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModel, AutoModelForMaskedLM, PreTrainedModel

from mtkd.distillation.pair import check_pair
from mtkd.distillation.smaller import (
    architecture_of,
    chosen_layers,
    smaller_encoder,
    student_shape,
)
from mtkd.distillation.states import encoder_of
from mtkd.errors import RecipeError
from mtkd.recipe import EncoderLosses, SmallerEncoder
from tests.distillation.teachers import KINDS, WIDTH, make_teacher


def settings(layers: object, **changes: object) -> SmallerEncoder:
    return SmallerEncoder.model_validate({"layers": layers, **changes})


def rows() -> dict[str, Tensor]:
    """Three rows of 14 tokens, two of them padded."""
    ids = torch.randint(5, 60, (3, 14), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[0, 9:], mask[1, 4:] = 0, 0
    return {"input_ids": ids * mask, "attention_mask": mask}


@torch.no_grad()
def shown(model: PreTrainedModel) -> tuple[Tensor, Tensor]:
    """Last hidden states and logits of all real tokens."""
    inputs = rows()
    real = inputs["attention_mask"].bool()
    states = encoder_of(model)(**inputs).last_hidden_state
    return states[real], model(**inputs).logits[real]


def distance(one: PreTrainedModel, two: PreTrainedModel) -> float:
    """The largest difference in what two models show."""
    return max((a - b).abs().max().item() for a, b in zip(shown(one), shown(two), strict=True))


# --- a student with all layers equals its teacher -------------------------------------------------


def test_a_distilbert_with_all_layers_equals_its_bert():
    teacher = make_teacher("bert", 3)
    student = smaller_encoder(teacher, settings(3), seed=1)
    assert student.config.model_type == "distilbert"
    assert distance(student, teacher) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_of_the_same_class_with_all_layers_equals_its_teacher(kind):
    teacher = make_teacher(kind, 4)
    student = smaller_encoder(teacher, settings(4, architecture="same"), seed=1)
    assert type(student) is type(teacher)
    assert distance(student, teacher) < 1e-5


@pytest.mark.parametrize("architecture", ["distilbert", "same"])
def test_a_vocabulary_matrix_of_the_heads_own_is_taken_along(architecture):
    teacher = make_teacher("bert", 2, tie_word_embeddings=False)
    student = smaller_encoder(teacher, settings(2, architecture=architecture), seed=1)
    assert distance(student, teacher) < 1e-5
    own = student.get_output_embeddings().weight
    assert own is not student.get_input_embeddings().weight


def test_the_token_type_is_folded_into_the_positions():
    teacher = make_teacher("bert", 2)
    student = smaller_encoder(teacher, settings(2), seed=1)
    theirs = teacher.bert.embeddings
    expected = theirs.position_embeddings.weight + theirs.token_type_embeddings.weight[0]
    torch.testing.assert_close(student.distilbert.embeddings.position_embeddings.weight, expected)


# --- as DistilBERT was released -------------------------------------------------------------------


def test_official_folds_no_token_type_and_copies_no_transform():
    teacher = make_teacher("bert", 2)
    student = smaller_encoder(teacher, settings(2, official=True), seed=1)
    theirs, ours = teacher.bert.embeddings, student.distilbert.embeddings
    assert torch.equal(ours.position_embeddings.weight, theirs.position_embeddings.weight)
    assert torch.equal(ours.word_embeddings.weight, theirs.word_embeddings.weight)
    transform = teacher.cls.predictions.transform
    assert not torch.equal(student.vocab_transform.weight, transform.dense.weight)
    assert student.vocab_transform.bias.count_nonzero() == 0
    assert (student.vocab_layer_norm.weight == 1).all()
    assert torch.equal(student.vocab_projector.bias, teacher.cls.predictions.bias)
    states, logits = (a - b for a, b in zip(shown(student), shown(teacher), strict=True))
    assert states.abs().max() > 1e-2
    assert logits.abs().max() > 1e-2


def test_official_draws_its_transform_from_the_seed_alone():
    teacher = make_teacher("bert", 2)
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(drawn))
        before = torch.get_rng_state()
        student = smaller_encoder(teacher, settings(1, official=True), seed)
        assert torch.equal(torch.get_rng_state(), before)
        drawn.append(student.vocab_transform.weight)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("kind", ["roberta", "distilbert"])
def test_official_is_refused_of_what_is_no_bert(kind):
    with pytest.raises(RecipeError, match=r"^student\.official: .*leave it out$"):
        architecture_of(settings(1, official=True), make_teacher(kind, 1).config.to_dict())


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"hidden_act": "silu"}, "it has no silu"),
        ({"layer_norm_eps": 1e-5}, "its layer_norm_eps is 1e-12, the teacher's 1e-05"),
        ({"is_decoder": True}, "looks both ways"),
    ],
)
def test_a_bert_that_distilbert_cannot_say_stays_a_bert(changes, fault):
    config = make_teacher("bert", 1, **changes).config.to_dict()
    assert architecture_of(settings(1), config) == "same"
    with pytest.raises(RecipeError, match=rf"^student\.architecture: distilbert: .*{fault}"):
        architecture_of(settings(1, architecture="distilbert"), config)


# --- which layers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "keep", "expected"),
    [
        (6, "spread", (0, 2, 4, 7, 9, 11)),
        (12, "spread", tuple(range(12))),
        (2, "spread", (0, 11)),
        (1, "spread", (0,)),
        (4, "first", (0, 1, 2, 3)),
        (4, "last", (8, 9, 10, 11)),
        ([1, 5, 11], "spread", (1, 5, 11)),
    ],
)
def test_layers_of_twelve(layers, keep, expected):
    assert chosen_layers(settings(layers, keep=keep), 12) == expected


@pytest.mark.parametrize(
    ("layers", "found"),
    [(13, "13, but the teacher has 12"), ([0, 12], "12, of 12 layers counted from 0")],
)
def test_layers_that_the_teacher_does_not_have_are_refused(layers, found):
    with pytest.raises(RecipeError, match=rf"^student\.layers: {found}"):
        chosen_layers(settings(layers), 12)


@pytest.mark.parametrize("architecture", ["distilbert", "same"])
def test_the_students_layers_are_those_of_the_teacher_in_their_order(architecture):
    teacher = make_teacher("bert", 5)
    asked = settings([0, 2, 3], architecture=architecture)
    student = smaller_encoder(teacher, asked, seed=1)
    assert student.config.num_hidden_layers == 3
    theirs = [teacher.bert.encoder.layer[i].intermediate.dense.weight for i in (0, 2, 3)]
    if architecture == "same":
        ours = [layer.intermediate.dense.weight for layer in student.bert.encoder.layer]
    else:
        ours = [layer.ffn.lin1.weight for layer in student.distilbert.transformer.layer]
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_layers_of_a_modernbert_keep_the_tokens_that_they_see():
    teacher = make_teacher("modernbert", 7)  # layers 0, 3 and 6 see all, others a window
    teacher.config.layer_types[3] = "full_attention"
    student = smaller_encoder(teacher, settings([0, 1, 3]), seed=1)
    kinds = ["full_attention", "sliding_attention", "full_attention"]
    assert student.config.layer_types == kinds
    assert [layer.attention_type for layer in student.model.layers] == kinds
    theirs, ours = teacher.model.layers, student.model.layers
    assert torch.equal(ours[2].attn_norm.weight, theirs[3].attn_norm.weight)


def test_a_modernbert_cannot_begin_with_another_layer_than_the_first():
    config = make_teacher("modernbert", 3).config.to_dict()
    with pytest.raises(RecipeError, match=r"^student\.layers: 1 would be the first"):
        student_shape(settings(2, keep="last"), config)
    student_shape(settings(2, keep="last", start="random"), config)


# --- dropout, type, random start ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("bert", ("dropout", "attention_dropout")),  # of DistilBERT
        ("roberta", ("hidden_dropout_prob", "attention_probs_dropout_prob")),
        ("modernbert", ("attention_dropout", "embedding_dropout", "mlp_dropout")),
    ],
)
def test_dropout_is_the_recipes_in_the_config_and_in_the_layers(kind, keys):
    student = smaller_encoder(make_teacher(kind, 2), settings(1, dropout=0.35), seed=1)
    assert [getattr(student.config, key) for key in keys] == [0.35] * len(keys)
    found = {m.p for m in encoder_of(student).modules() if isinstance(m, torch.nn.Dropout)}
    assert found == {0.35}


def test_without_a_dropout_of_its_own_the_student_has_its_teachers():
    teacher = make_teacher("bert", 2, hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.3)
    student = smaller_encoder(teacher, settings(1), seed=1)
    assert (student.config.dropout, student.config.attention_dropout) == (0.2, 0.3)


def test_the_teacher_and_its_config_stay_as_they_were():
    teacher = make_teacher("modernbert", 4)
    before = teacher.config.to_dict(), {n: t.clone() for n, t in teacher.state_dict().items()}
    student = smaller_encoder(teacher, settings(2, dropout=0.4), seed=1)
    with torch.no_grad():
        for weight in student.parameters():
            weight.zero_()
    assert teacher.config.to_dict() == before[0]
    assert all(torch.equal(t, before[1][n]) for n, t in teacher.state_dict().items())


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_a_random_start_has_the_shape_and_no_weight_of_the_teacher(kind):
    teacher = make_teacher(kind, 3)
    copied = smaller_encoder(teacher, settings(2), seed=1)
    student = smaller_encoder(teacher, settings(2, start="random"), seed=1)
    assert {n: t.shape for n, t in student.state_dict().items()} == {
        n: t.shape for n, t in copied.state_dict().items()
    }
    same = [n for n, t in student.named_parameters() if torch.equal(t, copied.get_parameter(n))]
    assert same == []


# --- the checkpoint -------------------------------------------------------------------------------

SAVED = {
    "distilbert": ("bert", {}, "DistilBertForMaskedLM"),
    "narrow distilbert": ("bert", {"hidden_size": 16}, "DistilBertForMaskedLM"),
    "narrow bert": ("bert", {"architecture": "same", "hidden_size": 16}, "BertForMaskedLM"),
    "modernbert": ("modernbert", {}, "ModernBertForMaskedLM"),
}
PLAIN = """
import json, sys
from pathlib import Path
import torch
from transformers import AutoModel, AutoModelForMaskedLM
from transformers.utils import logging
logging.disable_progress_bar()
inputs, report = torch.load("inputs.pt", weights_only=True), {}
for folder in sys.argv[1:]:
    model, info = AutoModelForMaskedLM.from_pretrained(folder, output_loading_info=True)
    encoder, alone = AutoModel.from_pretrained(folder, output_loading_info=True)
    with torch.no_grad():
        logits = model.eval()(**inputs).logits
        states = encoder.eval()(**inputs).last_hidden_state
    torch.save([states, logits], Path(folder) / "outputs.pt")
    missing = [name for name in alone["missing_keys"] if "pooler" not in name]
    report[folder] = {
        "class": type(model).__name__,
        "tied": model.get_output_embeddings().weight is model.get_input_embeddings().weight,
        "missing": [*info["missing_keys"], *info["unexpected_keys"], *missing],
    }
assert not [name for name in sys.modules if name.split(".")[0] == "mtkd"]
print(json.dumps(report))
"""


def test_saved_students_are_the_same_in_plain_transformers(tmp_path):
    students = {}
    for name, (kind, changes, _) in SAVED.items():
        students[name] = smaller_encoder(make_teacher(kind, 4), settings([0, 2], **changes), seed=1)
        students[name].save_pretrained(tmp_path / name)
    inputs = rows()
    torch.save(inputs, tmp_path / "inputs.pt")
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, *SAVED],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    real = inputs["attention_mask"].bool()
    for name, (_, _, expected) in SAVED.items():
        assert report[name] == {"class": expected, "tied": True, "missing": []}
        found = torch.load(tmp_path / name / "outputs.pt", weights_only=True)
        for theirs, ours in zip(found, shown(students[name]), strict=True):
            torch.testing.assert_close(theirs[real], ours, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_vocabulary_stays_one_matrix_after_loading(tmp_path, kind):
    student = smaller_encoder(make_teacher(kind, 2), settings(1), seed=1)
    student.save_pretrained(tmp_path)
    loaded = AutoModelForMaskedLM.from_pretrained(tmp_path).eval()
    assert loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight
    assert distance(loaded, student) < 1e-6
    AutoModel.from_pretrained(tmp_path)


def test_a_saved_student_says_nothing_of_where_it_was_made(tmp_path):
    teacher = make_teacher("bert", 2)
    teacher.save_pretrained(tmp_path / "teacher")
    loaded = AutoModelForMaskedLM.from_pretrained(tmp_path / "teacher")
    for architecture in ("distilbert", "same"):
        student = smaller_encoder(loaded, settings(1, architecture=architecture), seed=1)
        student.save_pretrained(tmp_path / architecture)
        written = Path(tmp_path / architecture / "config.json").read_text("utf-8")
        assert str(tmp_path) not in written
        assert json.loads(written)["architectures"] == [type(student).__name__]


# --- against the pair -----------------------------------------------------------------------------


@pytest.mark.parametrize("width", [None, 8, 24, WIDTH])
def test_the_shape_that_is_checked_is_that_of_the_student(width):
    teacher = make_teacher("bert", 4)
    for architecture in ("distilbert", "same"):
        asked = settings(2, hidden_size=width, architecture=architecture)
        shape = student_shape(asked, teacher.config.to_dict())
        config = smaller_encoder(teacher, asked, seed=1).config
        assert shape.layers == config.num_hidden_layers == 2
        assert shape.width == config.hidden_size == (width or WIDTH)
        assert shape.heads == config.num_attention_heads
        assert shape.vocabulary == config.vocab_size


def test_losses_are_held_against_the_students_real_width():
    config = make_teacher("bert", 2).config.to_dict()
    cosine = EncoderLosses.model_validate({"cosine": {"weight": 1.0}})
    states = EncoderLosses.model_validate({"hidden_mse": {"weight": 1.0}})
    check_pair(cosine, settings(1), config)
    with pytest.raises(RecipeError, match=r"losses\.cosine: the student's states have 16"):
        check_pair(cosine, settings(1, hidden_size=16), config)
    assert check_pair(states, settings(1, hidden_size=16), config).projected == WIDTH
