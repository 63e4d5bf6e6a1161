"""`student.losses`: losses between the student's encoder and live teachers, on tasks."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file
from transformers import DebertaV2Config, DebertaV2Model

from mtkd.encoders import load_tokenizer
from mtkd.errors import RecipeError
from mtkd.examples.prepared import PreparedSplit
from mtkd.model import MultiTaskModel, build_model
from mtkd.pipeline import open_run, statuses
from mtkd.recipe import EncoderLosses, EncoderSettings, derive_seed, load_recipe
from mtkd.stages import distill
from mtkd.stages.live import check_live
from mtkd.stages.selection import kept_candidates
from tests.carry_out import carried_out
from tests.rows import RTE, make_examples, prepare

ONE = ("tasks=[rte,stsb]", "teachers.tasks=[rte]", "teachers.select.by=[rte]", "baseline=false",
       "teachers.refine=false", "student.finetune=false", "teachers.candidates.2.encoder="
       "${student.encoder}", "training.optimizer=adamw")  # fmt: skip
HIDDEN = "student.losses={hidden_mse: {weight: 1.0}, pkd: {weight: 10.0}}"


def log_of(folder: Path) -> list[dict[str, float]]:
    lines = map(json.loads, (folder / "log.jsonl").read_text("utf-8").splitlines())
    return [line for line in lines if "dev" not in line]


def test_tasks_with_a_teacher_have_the_losses_beside_those_on_labels(
    tiny_recipe: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        run = carried_out(tiny_recipe, tmp_path / "run", *ONE, HIDDEN, last="distill")
    lines = log_of(run.folder / "student")
    for line in lines:
        taught = line["task"] == "rte"
        assert ("hidden_mse" in line) == ("pkd" in line) == taught
        total = line["labels"] + (line["hidden_mse"] + 10 * line["pkd"] if taught else 0)
        assert line["loss"] == pytest.approx(total, rel=1e-4)
    assert {line["task"] for line in lines} == {"rte", "stsb"}
    assert "student: rte have a live teacher" in caplog.text
    saved = MultiTaskModel.load(run.folder / "student")
    assert not any("projection" in name for name in saved.state_dict())


def test_an_intermediate_training_is_on_the_losses_alone_and_the_student_starts_from_it(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    run = carried_out(
        tiny_recipe, tmp_path / "run", *ONE, HIDDEN, "student.intermediate.epochs=4",
        last="distill",
    )  # fmt: skip
    lines = log_of(run.folder / "student_intermediate")
    assert {line["task"] for line in lines} == {"rte"}
    assert not any("labels" in line for line in lines)
    means = [sum(line["loss"] for line in lines if line["epoch"] == epoch) for epoch in (0, 3)]
    assert means[1] < means[0]
    # heads that nobody trains have no score on dev: the losses have
    content = json.loads((run.folder / "student_intermediate" / "metrics.json").read_text("utf-8"))
    found = [entry["metrics"]["rte/dev"] for entry in content["history"]]
    assert found[3]["loss"] < found[0]["loss"]
    for entry in found:
        assert set(entry) == {"loss", "hidden_mse", "pkd"}
        assert entry["loss"] == pytest.approx(entry["hidden_mse"] + 10 * entry["pkd"])
    assert not any("hidden_mse" in line for line in log_of(run.folder / "student"))
    manifest = json.loads((run.folder / "student" / "manifest.json").read_text("utf-8"))
    assert "artefact student_intermediate" in manifest["inputs"]
    # its heads learn nothing, and are those that a student without it would have begun with
    before = load_file(run.folder / "student_intermediate" / "model.safetensors")
    tasks = {"rte": run.tasks["rte"]}
    fresh = build_model(run.recipe.student, tasks, run.recipe.student.heads,
                        derive_seed(run.recipe.seed, "student")).state_dict()  # fmt: skip
    heads = [name for name in fresh if name.startswith("heads.")]
    assert heads
    for name in heads:
        torch.testing.assert_close(before[name], fresh[name], rtol=0, atol=0)


def test_out_of_fold_soft_labels_with_live_teachers_are_warned_of(
    tiny_recipe: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    carried_out(tiny_recipe, tmp_path / "run", *ONE, HIDDEN, "soft_labels.folds=2", last="distill")
    assert "student: soft labels are out of fold, and live teachers have seen" in caplog.text


def test_trackers_are_told_of_each_term(tiny_recipe: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    told = "training.trackers=[tensorboard]"
    run = carried_out(tiny_recipe, tmp_path / "run", *ONE, HIDDEN, told, last="distill")
    (file,) = (run.folder / "student").rglob("events.*")
    events = EventAccumulator(str(file))
    events.Reload()
    lines = [line for line in log_of(run.folder / "student") if line["task"] == "rte"]
    for term in ("labels", "hidden_mse", "pkd"):
        found = {event.step: event.value for event in events.Scalars(f"{term}/rte")}
        assert found == pytest.approx({line["step"]: line[term] for line in lines})
    assert "hidden_mse/stsb" not in events.Tags()["scalars"]


def test_a_student_that_is_its_teacher_has_no_loss_to_begin_with(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    """Its teacher has not moved from where the student begins."""
    run = carried_out(
        tiny_recipe, tmp_path / "run", *ONE, "tasks=[rte]",
        "student.losses={embedding_mse: {weight: 1.0}, minilm: {weight: 1.0, relation_heads: 4}}",
        "teachers.training.learning_rate=1.0e-30", "student.dropout=0.0", last="distill",
    )  # fmt: skip
    first, *later = log_of(run.folder / "student")
    assert first["step"] == 1
    for name in ("embedding_mse", "minilm"):
        assert first[name] == pytest.approx(0.0, abs=5e-7)
        assert later[-1][name] > 2e-6  # as labels pull it away


def test_the_live_teacher_is_the_first_that_is_kept_and_the_student_is_made_from_it(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    recipe = load_recipe(str(tiny_recipe), [*ONE, HIDDEN, "student.intermediate.epochs=1",
                                            "training.early_stopping=1"])  # fmt: skip
    run = open_run(recipe, tmp_path / "run")
    first = kept_candidates(run)[0].name
    assert len(kept_candidates(run)) > 1
    before, after = (unit for unit in distill.units(run) if "student" in unit.place)
    assert before.settings["live teachers"] == {"rte": first}
    assert f"teachers/{first}/rte" in before.needs
    assert after.needs.count("student_intermediate") == 1
    # heads that nobody trains have no best epoch
    assert before.settings["training.keep"] == "last"
    assert before.settings["training.early_stopping"] is None
    assert after.settings["training.early_stopping"] == 1


def test_a_loss_that_changes_makes_the_student_stale_and_no_teacher(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    run = carried_out(tiny_recipe, tmp_path / "run", *ONE, HIDDEN, last="distill")
    heavier = load_recipe(str(tiny_recipe), [*ONE, HIDDEN.replace("10.0", "20.0")])
    found = statuses(open_run(heavier, run.folder))
    stale = [(s.unit.place, s.why) for stage in ("prepare", "teach", "soften", "distill")
             for s in found[stage] if s.state != "done"]  # fmt: skip
    assert stale == [("student", "student.losses.pkd.weight: 10.0 -> 20.0")]


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("student.losses={mlm: {weight: 1.0}}", "losses: mlm: no word is masked"),
        ("student.losses={seed: {weight: 1.0}}", "losses: seed: is between the texts of a corpus"),
        ("student.losses={minilm: {weight: 1.0, relation_heads: 5}}",
         "student.losses.*relation_heads: 5 does not divide"),
        ("student.intermediate.epochs=1", "intermediate is a training on losses alone"),
        ("student={encoder: x, losses: {pkd: {weight: 1.0}}, training: {unpad: true}}",
         "student.training.unpad: student.losses read padded batches"),
        ("student={encoder: x, losses: {pkd: {weight: 1.0}}, intermediate: {unpad: true}}",
         "student.intermediate.unpad: student.losses read padded batches"),
        ("student={encoder: x, losses: {pkd: {weight: 1.0}}, intermediate: {keep: best}}",
         "intermediate.keep: dev scores say nothing of heads that do not learn"),
    ],
)  # fmt: skip
def test_losses_that_cannot_be_had_are_refused_at_the_start(
    tiny_recipe: Path, tmp_path: Path, override: str, key: str
) -> None:
    with pytest.raises(RecipeError, match=rf"(?s){key}"):
        carried_out(tiny_recipe, tmp_path / "run", *ONE, override, last="prepare")
    assert not (tmp_path / "run" / "teachers").exists()


@pytest.mark.parametrize("losses", ["{}", "{pkd: {weight: 0.0}}", "{pkd: null}"])
def test_losses_that_weigh_nothing_run_no_teacher(
    losses: str, tiny_recipe: Path, tmp_path: Path
) -> None:
    """Where a loss is left out by its weight, the student is that of a recipe without."""
    with_none, without = (
        {u.place: (u.settings, u.needs) for u in distill.units(open_run(recipe, tmp_path / "run"))}
        for recipe in (load_recipe(str(tiny_recipe), [*ONE, f"student.losses={losses}"]),
                       load_recipe(str(tiny_recipe), [*ONE]))
    )  # fmt: skip
    assert with_none == without
    with pytest.raises(RecipeError, match="intermediate is a training on losses alone"):
        load_recipe(str(tiny_recipe), [*ONE, f"student.losses={losses}",
                                       "student.intermediate.epochs=1"])  # fmt: skip


def test_losses_that_reach_no_task_are_refused(tiny_recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"student.losses: none of stsb has teachers"):
        carried_out(tiny_recipe, tmp_path / "run", *ONE, HIDDEN, "student.tasks=[stsb]",
                    last="prepare")  # fmt: skip


def test_a_teacher_of_another_vocabulary_is_refused(tiny_recipe: Path, tmp_path: Path) -> None:
    same_words = [text for text in ONE if "candidates" not in text]
    with pytest.raises(RecipeError, match=r"student.losses: .* words, .* states are of other"):
        carried_out(tiny_recipe, tmp_path / "run", *same_words, HIDDEN, last="prepare")


@pytest.mark.parametrize("loss", ["{attention_mse: {weight: 1.0}}",
                                  "{minilm: {weight: 1.0, relation_heads: 2}}"])  # fmt: skip
def test_losses_on_attention_of_an_encoder_that_hides_it_are_refused(
    loss: str, tiny_encoder: str, tmp_path: Path
) -> None:
    config = DebertaV2Config(vocab_size=99, hidden_size=16, num_hidden_layers=2,
                             num_attention_heads=2, intermediate_size=32)  # fmt: skip
    folder = tmp_path / "deberta"
    DebertaV2Model(config).save_pretrained(folder)
    load_tokenizer(tiny_encoder).save_pretrained(folder)
    settings, losses = EncoderSettings(encoder=str(folder)), OmegaConf.create(loss)
    asked = EncoderLosses.model_validate(OmegaConf.to_container(losses))
    with pytest.raises(RecipeError, match=r"student\.losses: .*: .*deberta is a deberta-v2, whi"):
        check_live(asked, settings, settings)
    check_live(EncoderLosses.model_validate({"cosine": {"weight": 1.0}}), settings, settings)


def test_losses_without_teachers_are_refused(tiny_recipe: Path) -> None:
    with pytest.raises(RecipeError, match=r"student.losses: .*teachers"):
        load_recipe(str(tiny_recipe), ["teachers=null", HIDDEN])


def test_labels_and_losses_together_have_the_gradient_of_their_sum(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    """A weight next to 0 for the losses leaves the student as it would be without them."""
    plain = carried_out(tiny_recipe, tmp_path / "plain", *ONE, last="distill")
    tiny = carried_out(
        tiny_recipe, tmp_path / "tiny", *ONE, "student.losses={pkd: {weight: 1.0e-30}}",
        last="distill",
    )  # fmt: skip
    one, other = (MultiTaskModel.load(r.folder / "student").state_dict() for r in (plain, tiny))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_rows_are_the_same_only_with_the_same_tokens(
    tiny_encoder: str, tiny_cased_encoder: str, tmp_path: Path
) -> None:
    rows = make_examples(RTE, 6)
    own, again, cased = (
        prepare(rows, encoder, tmp_path / f"{number}.arrow")
        for number, encoder in enumerate((tiny_encoder, tiny_encoder, tiny_cased_encoder))
    )
    fewer = prepare(rows[1:], tiny_encoder, tmp_path / "fewer.arrow")
    assert own.same_tokens(again)
    assert own.guids == cased.guids
    assert not own.same_tokens(cased)
    assert not own.same_tokens(fewer)


def test_a_teacher_that_reads_other_tokens_is_refused(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PreparedSplit, "same_tokens", lambda *_: False)
    with pytest.raises(RecipeError, match=r"cut the rows of rte to other tokens"):
        carried_out(tiny_recipe, tmp_path / "run", *ONE, HIDDEN, last="distill")
