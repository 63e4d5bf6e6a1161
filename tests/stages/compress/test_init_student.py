from pathlib import Path
from typing import Any

import pytest
import torch

from mtkd.artifacts import file_sha256
from mtkd.encoders import load_masked_lm, load_tokenizer
from mtkd.errors import RecipeError
from mtkd.recipe import CompressRecipe, EncoderSettings
from mtkd.stages.compress import plan_compress
from mtkd.stages.compress.init_student import units
from mtkd.stages.compress.run import START, TEACHER
from mtkd.stages.unit import Unit


@pytest.fixture
def planned(tmp_path: Path, tiny_encoder_with_head: str):
    """Return the units of this stage, by place, of a recipe that differs in some keys."""

    def plan(student: dict[str, Any], teacher: object = tiny_encoder_with_head, **changes: Any):
        texts = tmp_path / "texts.txt"
        texts.write_text("the cat sees the dog\n" * 20, "utf-8")
        content = {
            "name": "small",
            "kind": "compress",
            "teacher": {"encoder": str(teacher)},
            "student": student,
            "corpus": {"files": [str(texts)]},
            "losses": {"hidden_mse": {"weight": 1.0}},
            **changes,
        }
        run = plan_compress(CompressRecipe.model_validate(content), tmp_path / "run")
        return {unit.place: unit for unit in units(run)}

    return plan


def build(unit: Unit, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    return unit.build(folder)


def test_the_student_is_an_encoder_with_its_tokenizer(planned, tiny_encoder_with_head, tmp_path):
    notes = build(planned({"layers": 1})[START], tmp_path / "student")
    settings = EncoderSettings(encoder=str(tmp_path / "student"))
    student, has_head = load_masked_lm(settings)
    assert has_head
    assert notes["architecture"] == type(student).__name__ == "DistilBertForMaskedLM"
    assert notes["parameters"] == student.num_parameters()
    assert notes["teacher_layers"] == [0]
    teacher, _ = load_masked_lm(EncoderSettings(encoder=tiny_encoder_with_head))
    assert notes["teacher_parameters"] == teacher.num_parameters() > notes["parameters"]
    text = "the cat sees a dog"
    own, theirs = (
        load_tokenizer(str(path)) for path in (tmp_path / "student", tiny_encoder_with_head)
    )
    assert own(text)["input_ids"] == theirs(text)["input_ids"]


def test_a_student_may_be_narrower_and_drop_out_more(planned, tmp_path):
    asked = {"layers": 1, "hidden_size": 16, "dropout": 0.3, "architecture": "same"}
    build(planned(asked)[START], tmp_path / "student")
    student, _ = load_masked_lm(EncoderSettings(encoder=str(tmp_path / "student")))
    config = student.config
    assert (config.hidden_size, config.num_attention_heads, config.hidden_dropout_prob) == (
        16,
        1,
        0.3,
    )


def test_the_same_recipe_writes_the_same_bytes_whatever_was_drawn_before(
    planned, tiny_encoder, tmp_path
):
    unit = planned({"layers": 1}, teacher=tiny_encoder)[START]  # without a head: one is drawn
    written = []
    for name in ("one", "two"):
        torch.rand(3)
        before = torch.get_rng_state()
        build(unit, tmp_path / name)
        assert torch.equal(torch.get_rng_state(), before)
        written.append(file_sha256(tmp_path / name / "model.safetensors"))
    assert written[0] == written[1]


def test_another_seed_draws_other_weights(planned, tiny_encoder, tmp_path):
    written = []
    for seed in (1, 2):
        asked = {"layers": 1, "start": "random"}
        build(planned(asked, teacher=tiny_encoder, seed=seed)[START], tmp_path / str(seed))
        written.append(file_sha256(tmp_path / str(seed) / "model.safetensors"))
    assert written[0] != written[1]


def test_a_head_that_nobody_has_trained_is_not_written(planned, tiny_encoder, tmp_path):
    notes = build(planned({"layers": 1}, teacher=tiny_encoder)[START], tmp_path / "student")
    assert notes["architecture"] == "DistilBertModel"
    _, has_head = load_masked_lm(EncoderSettings(encoder=str(tmp_path / "student")))
    assert not has_head


@pytest.mark.parametrize(
    "change",
    [{"layers": 2}, {"keep": "last"}, {"hidden_size": 16}, {"dropout": 0.2}, {"official": True},
     {"start": "random"}, {"architecture": "same"}],
    ids=str,
)  # fmt: skip
def test_each_key_of_the_student_is_in_its_settings(planned, change):
    before = planned({"layers": 1})[START].settings
    after = planned({"layers": 1, **change})[START].settings
    assert {key for key in before if before[key] != after[key]} == {
        f"student.{key}" for key in change
    }


def test_a_head_that_is_trained_first_is_a_unit_that_the_student_needs(planned, tiny_encoder):
    found = planned({"layers": 1}, teacher=tiny_encoder, warmup_mlm=2)
    assert list(found) == [TEACHER, START]
    assert found[START].needs == (TEACHER,)
    assert not [key for key in found[START].settings if key.startswith("teacher")]
    assert found[TEACHER].settings["warmup_mlm"] == 2
    assert "training.epochs" not in found[TEACHER].settings


def test_the_teachers_head_is_trained_as_warmup_training_says(planned, tiny_encoder):
    found = planned({"layers": 1}, teacher=tiny_encoder, warmup_mlm=1,
                    training={"learning_rate": 0.001, "batch_size": 8},
                    warmup_training={"learning_rate": 0.25})  # fmt: skip
    settings = found[TEACHER].settings
    assert settings["training.learning_rate"] == 0.25
    assert settings["training.batch_size"] == 8


@pytest.mark.parametrize("warmup", [None, 1])
def test_another_tokenizer_makes_another_student(planned, tiny_encoder, tiny_cased_encoder, warmup):
    one, other = (
        planned({"layers": 1}, teacher=encoder, warmup_mlm=warmup,
                losses={"mlm": {"weight": 1.0}})[START].settings
        for encoder in (tiny_encoder, tiny_cased_encoder)
    )  # fmt: skip
    changed = {key for key in one if one[key] != other[key]}
    assert "tokenizer file tokenizer.json" in changed


@pytest.mark.parametrize(
    ("student", "fault"),
    [
        ({"layers": 3}, r"student\.layers: 3, but the teacher has 2"),
        ({"layers": 1, "hidden_size": 20}, r"student\.hidden_size: expected a multiple of 16"),
        ({"layers": 1, "hidden_size": 64}, r"student\.hidden_size: 64, but the teacher's is 32"),
        ({"layers": 1, "architecture": "same", "official": True}, r"student\.official: "),
    ],
)
def test_a_student_that_cannot_be_made_is_refused_when_the_run_is_planned(planned, student, fault):
    with pytest.raises(RecipeError, match=fault):
        planned(student)
