"""A compress pipeline from texts to a smaller encoder, on a tiny teacher."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForMaskedLM

from mtkd.artifacts import read_manifest
from mtkd.encoders import encoder_folder, load_tokenizer
from mtkd.errors import RecipeError
from mtkd.pipeline import open_run, statuses
from mtkd.recipe import derive_seed, load_recipe
from mtkd.stages.compress.models import load_corpus, load_masking
from tests.carry_out import carried_out

SAME_FILES = ("corpus", "teacher", "student_init", "student")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, half_recipe: Path) -> Path:
    """Its run, carried out whole. Tests must not change it."""
    folder = tmp_path_factory.mktemp("runs") / "half"
    carried_out(half_recipe, folder, last="evaluate")
    return folder


def made(folder: Path) -> dict[str, bytes]:
    """What is made, but for times."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for place in (*SAME_FILES, "evaluation")
        for path in sorted((folder / place).rglob("*"))
        if path.is_file() and path.name not in {"manifest.json", "speed.json", "table.md"}
    }


def metrics(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "evaluation" / "metrics.json").read_text("utf-8"))["models"]


def architecture(folder: Path) -> str:
    (found,) = json.loads((folder / "config.json").read_text("utf-8"))["architectures"]
    return str(found)


def test_the_evaluation_holds_all_models_against_the_teacher(finished: Path) -> None:
    models = metrics(finished)
    assert list(models) == ["teacher", "student as it began", "student"]
    assert models["teacher"]["divergence"] == 0
    assert models["teacher"]["cosine"] == pytest.approx(1, abs=1e-6)
    history = json.loads((finished / "student" / "metrics.json").read_text("utf-8"))["history"]
    losses = [entry["metrics"]["corpus/dev"]["loss"] for entry in history]
    assert losses[1] < losses[0]
    assert models["student"]["parameters"] < models["teacher"]["parameters"]
    table = (finished / "evaluation" / "table.md").read_text("utf-8")
    assert f"{models['student']['cosine']:.3f}" in table


def test_the_evaluation_is_what_transformers_own_models_say_of_the_same_masks(
    finished: Path, half_recipe: Path
) -> None:
    """Perplexity and divergence at masked tokens, the latter at temperature 1; cosine at all."""
    run = open_run(load_recipe(str(half_recipe)), finished)
    corpus, masking = load_corpus(run, "dev"), load_masking(run)
    teacher, student = (
        AutoModelForMaskedLM.from_pretrained(finished / place).eval()
        for place in ("teacher", "student")
    )
    order = np.argsort(-corpus.rows.lengths, kind="stable")
    seed = derive_seed(run.recipe.seed, "evaluate")
    costs, apart, angles = [], [], []
    for number, start in enumerate(range(0, len(order), 32)):
        tokens = corpus.rows.tokens(order[start : start + 32])
        draw = np.random.default_rng(derive_seed(seed, "held out", number))
        for before, row, chosen in zip(tokens, *masking.draw(tokens, draw), strict=True):
            ids = torch.as_tensor(row, dtype=torch.long)[None]
            with torch.no_grad():
                theirs, own = (model(input_ids=ids, output_hidden_states=True)
                               for model in (teacher, student))  # fmt: skip
            angles.append(torch.cosine_similarity(own.hidden_states[-1][0],
                                                  theirs.hidden_states[-1][0], dim=1))  # fmt: skip
            p, q = (out.logits[0, chosen].log_softmax(1) for out in (theirs, own))
            labels = torch.as_tensor(before[chosen], dtype=torch.long)
            costs.append(-q[torch.arange(len(labels)), labels])
            apart.append((p.exp() * (p - q)).sum(1))
    found = metrics(finished)["student"]
    assert found["perplexity"] == pytest.approx(torch.cat(costs).mean().exp().item(), rel=1e-4)
    assert found["divergence"] == pytest.approx(torch.cat(apart).mean().item(), abs=1e-4)
    assert found["cosine"] == pytest.approx(torch.cat(angles).mean().item(), abs=1e-5)


def test_a_teacher_keeps_its_encoder_while_its_head_is_trained(
    finished: Path, half_recipe: Path
) -> None:
    """Trained along on a little text, it would no longer be what is to be distilled."""
    run = open_run(load_recipe(str(half_recipe)), finished)
    given = load_file(encoder_folder(run.recipe.teacher.encoder) / "model.safetensors")
    after = load_file(finished / "teacher" / "model.safetensors")
    encoder = {name: f"bert.{name}" for name in given if not name.startswith("pooler.")}
    assert [name for name in encoder if not torch.equal(given[name], after[encoder[name]])] == []
    content = json.loads((finished / "teacher" / "metrics.json").read_text("utf-8"))
    guess = math.log(len(load_tokenizer(run.recipe.teacher.encoder)))
    assert content["chosen"]["metrics"]["corpus/dev"]["mlm"] < guess - 0.02  # and the head learns


BETWEEN = ("losses={mlm: {weight: 1.0}, simcse: {weight: 1.0}, contrastive: {weight: 1.0}, "
           "seed: {weight: 1.0}, representation: {weight: 1.0}}")  # fmt: skip


def test_losses_between_texts_make_an_encoder_without_their_queue(
    half_recipe: Path, tmp_path: Path
) -> None:
    run = carried_out(half_recipe, tmp_path / "run", BETWEEN, "student.layers=2", last="evaluate")
    weights = load_file(run.folder / "student" / "model.safetensors")
    assert not any("queue" in name for name in weights)
    lines = [json.loads(line) for line in
             (run.folder / "student" / "log.jsonl").read_text("utf-8").splitlines()]  # fmt: skip
    first = next(line for line in lines if "dev" not in line)
    assert {"simcse", "contrastive", "contrastive_divergence", "seed", "seed_divergence",
            "representation", "mlm"} <= first.keys()  # fmt: skip
    # of the same texts from the same layers, but for dropout
    assert first["seed"] == pytest.approx(0, abs=1e-6)  # the queue is empty yet
    for override, stale in (("embeddings.pooling=first", ["student", "evaluation"]),
                            ("embeddings.queue=65", ["student", "evaluation"])):  # fmt: skip
        other = open_run(load_recipe(str(half_recipe), [BETWEEN, "student.layers=2", override]),
                         run.folder)  # fmt: skip
        found = [s.unit.place for p in statuses(other).values() for s in p if s.state != "done"]
        assert found == stale


def test_a_student_of_random_weights_learns_to_be_like_its_teacher(
    half_recipe: Path, tmp_path: Path
) -> None:
    run = carried_out(
        half_recipe, tmp_path / "run", "losses={cosine: {weight: 1.0}}", "warmup_mlm=null",
        "student.start=random", "training.epochs=6", last="evaluate",
    )  # fmt: skip
    models = metrics(run.folder)
    assert models["student"]["cosine"] > models["student as it began"]["cosine"] + 0.4


def test_two_runs_write_the_same_bytes(finished: Path, half_recipe: Path, tmp_path: Path) -> None:
    carried_out(half_recipe, tmp_path / "again", last="evaluate")
    one, other = made(finished), made(tmp_path / "again")
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


def test_the_student_loads_in_plain_transformers(finished: Path) -> None:
    code = (
        "import sys, torch; from transformers import AutoModel, AutoModelForMaskedLM, "
        "AutoTokenizer; f = sys.argv[1]; t = AutoTokenizer.from_pretrained(f); "
        "m = AutoModelForMaskedLM.from_pretrained(f); e = AutoModel.from_pretrained(f); "
        "i = t('the cat sleeps', return_tensors='pt'); print(type(m).__name__, "
        "tuple(m(**i).logits.shape)[-1] == len(t), tuple(e(**i).last_hidden_state.shape)[-1], "
        "any(name.startswith('mtkd') for name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(finished / "student")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["DistilBertForMaskedLM", "True", "32", "False"]


def test_a_student_with_all_layers_begins_as_its_teacher(half_recipe: Path, tmp_path: Path) -> None:
    carried_out(
        half_recipe, tmp_path / "run", "student.layers=2", "training.epochs=1", last="evaluate"
    )
    began = metrics(tmp_path / "run")["student as it began"]
    assert began["divergence"] == pytest.approx(0, abs=1e-5)
    assert began["cosine"] == pytest.approx(1, abs=1e-5)


def test_a_projection_is_learnt_for_a_narrower_student_and_gone_from_it(
    half_recipe: Path, tmp_path: Path
) -> None:
    """Every loss that does not ask for the same width or heads, together."""
    losses = ("{soft_mlm: {weight: 1.0, restrict_to_masked: true}, hidden_mse: {weight: 1.0}, "
              "embedding_mse: {weight: 1.0}, minilm: {weight: 1.0, relation_heads: 4}}"
              )  # fmt: skip
    run = carried_out(half_recipe, tmp_path / "run", f"losses={losses}", "student.hidden_size=16",
                      last="evaluate")  # fmt: skip
    weights = load_file(run.folder / "student" / "model.safetensors")
    assert not any("projection" in name for name in weights)
    assert weights["distilbert.embeddings.word_embeddings.weight"].size(1) == 16
    models = metrics(run.folder)
    assert "cosine" not in models["student"]
    assert models["student"]["divergence"] < models["student as it began"]["divergence"]


def test_without_a_head_only_states_are_compared(half_recipe: Path, tmp_path: Path) -> None:
    losses = "losses={minilm: {weight: 1.0, relation_heads: 4}}"
    run = carried_out(half_recipe, tmp_path / "run", losses, "warmup_mlm=null", last="evaluate")
    assert not (run.folder / "teacher").exists()
    assert set(metrics(run.folder)["student"]) == {"parameters", "cosine"}
    table = (run.folder / "evaluation" / "table.md").read_text("utf-8")
    assert "cosine: of last hidden states" in table
    assert "perplexity" not in table
    # nor is one written, which would say nothing but would load as if it did
    places = ("student_init", "student")
    assert {architecture(run.folder / place) for place in places} == {"DistilBertModel"}
    # nor counted
    weights = load_file(run.folder / "student" / "model.safetensors")
    count = sum(tensor.numel() for tensor in weights.values())
    for place in places:
        manifest = read_manifest(run.folder / place)
        assert manifest is not None
        assert manifest.notes["parameters"] == count
    assert metrics(run.folder)["student"]["parameters"] == count
    whole = load_file(encoder_folder(run.recipe.teacher.encoder) / "model.safetensors")
    pooler = sum(t.numel() for name, t in whole.items() if "pooler" in name)
    found = metrics(run.folder)["teacher"]["parameters"]
    assert found == sum(tensor.numel() for tensor in whole.values()) - pooler


def test_a_new_head_that_the_student_has_learnt_is_written(
    half_recipe: Path, tmp_path: Path
) -> None:
    run = carried_out(half_recipe, tmp_path / "run", "losses={mlm: {weight: 1.0}}",
                      "warmup_mlm=null", last="evaluate")  # fmt: skip
    assert architecture(run.folder / "student") == "DistilBertForMaskedLM"
    models = metrics(run.folder)
    assert "perplexity" in models["student"]
    assert "divergence" not in models["student"]  # from a teacher whose words are nobody's
    assert "perplexity" not in models["teacher"]


@pytest.mark.parametrize("start", ["student.start=random", "student.official=true"])
def test_a_head_that_is_neither_copied_whole_nor_trained_is_not_written(
    half_recipe: Path, tmp_path: Path, start: str
) -> None:
    run = carried_out(half_recipe, tmp_path / "run", "losses={cosine: {weight: 1.0}}", start,
                      last="evaluate")  # fmt: skip
    assert architecture(run.folder / "student") == "DistilBertModel"
    models = metrics(run.folder)
    assert set(models["student"]) == {"parameters", "cosine"}
    assert "perplexity" in models["teacher"]


@pytest.mark.parametrize(
    ("override", "stale"),
    [
        ("training.log_every=3", []),
        ("losses.hidden_mse={weight: 0.0}", []),
        ("corpus.column=sentence", []),
        ("embeddings.pooling=first", []),
        ("losses.mlm.weight=3.0", ["student", "evaluation"]),
        ("student.layers=2", ["student_init", "student", "evaluation"]),
        ("warmup_mlm=2", ["teacher", "student_init", "student", "evaluation"]),
        ("corpus.min_tokens=3", ["corpus", "teacher", "student_init", "student", "evaluation"]),
        ("masking.share=0.2", ["teacher", "student_init", "student", "evaluation"]),
    ],
)
def test_a_key_makes_stale_what_it_shapes_and_what_follows(
    finished: Path, half_recipe: Path, override: str, stale: list[str]
) -> None:
    run = open_run(load_recipe(str(half_recipe), [override]), finished)
    found = [s.unit.place for parts in statuses(run).values() for s in parts if s.state != "done"]
    assert found == stale


def test_what_is_stale_names_the_recipes_own_keys(
    finished: Path, half_recipe: Path, tmp_path: Path
) -> None:
    later = open_run(load_recipe(str(half_recipe), ["warmup_mlm=2"]), finished)
    why = {s.unit.place: s.why for parts in statuses(later).values() for s in parts}
    assert why["teacher"] == "warmup_mlm: 1 -> 2"
    text = tmp_path / "texts.txt"
    text.write_text("\n".join(f"the cat sees the dog and the bird {i}" for i in range(40)))
    of_file = [f"corpus={{files: [{text}], dev_share: 0.3}}"]
    carried_out(half_recipe, tmp_path / "run", *of_file, last="corpus")
    text.write_text(text.read_text() + "\nthe bird sees the cat and the dog")
    changed = open_run(load_recipe(str(half_recipe), of_file), tmp_path / "run")
    (corpus,) = statuses(changed)["corpus"]
    assert corpus.why.startswith("corpus.files.0: .txt ")


def test_an_encoders_own_weights_are_in_the_fingerprint(finished: Path) -> None:
    manifest = read_manifest(finished / "teacher")
    assert manifest is not None
    assert any(key.startswith("teacher file model") for key in manifest.inputs)


def test_a_random_start_has_the_shape_alone(
    half_recipe: Path, tmp_path: Path, finished: Path
) -> None:
    run = carried_out(half_recipe, tmp_path / "run", "student.start=random", last="init-student")
    one, other = (
        load_file(folder / "student_init" / "model.safetensors")
        for folder in (run.folder, finished)
    )
    assert {n: t.shape for n, t in one.items()} == {n: t.shape for n, t in other.items()}
    name = "distilbert.transformer.layer.0.ffn.lin1.weight"
    assert not torch.equal(one[name], other[name])


def test_the_order_of_tasks_changes_nothing(
    finished: Path, half_recipe: Path, tmp_path: Path
) -> None:
    run = carried_out(half_recipe, tmp_path / "run", "corpus.tasks=[cola,rte]", last="corpus")
    one, other = ((folder / "corpus" / "train.arrow").read_bytes()
                  for folder in (run.folder, finished))  # fmt: skip
    assert one == other


def test_a_layer_of_the_teacher_deeper_than_the_student_can_be_compared(
    half_recipe: Path, tmp_path: Path
) -> None:
    loss = "losses={minilm: {weight: 1.0, relation_heads: 4, teacher_layer: 2}}"
    run = carried_out(
        half_recipe, tmp_path / "run", loss, "warmup_mlm=null", last="distill-encoder"
    )
    assert (run.folder / "student" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("warmup_training.unpad=true", "warmup_training.unpad: "),
        ("warmup_training.keep_best_per_task=true", "warmup_training.keep_best_per_task: "),
    ],
)
def test_what_a_corpus_has_no_use_for_is_refused_in_the_warm_up_too(
    half_recipe: Path, override: str, key: str
) -> None:
    with pytest.raises(RecipeError, match=key):
        load_recipe(str(half_recipe), [override])


def test_a_teacher_with_a_head_is_not_warmed_up(
    finished: Path, half_recipe: Path, tmp_path: Path
) -> None:
    changed = load_recipe(str(half_recipe), [f"teacher.encoder={finished / 'teacher'}"])
    with pytest.raises(RecipeError, match=r"warmup_mlm: .* comes with a masked-language head"):
        open_run(changed, tmp_path / "run")


def test_a_vocabulary_with_a_gap_is_no_trouble(
    tiny_encoder: str, half_recipe: Path, tmp_path: Path
) -> None:
    """The number of its words is then less than the highest of their numbers."""
    shutil.copytree(tiny_encoder, tmp_path / "gap")
    path = tmp_path / "gap" / "tokenizer.json"
    content = json.loads(path.read_text("utf-8"))
    words = content["model"]["vocab"]
    del words[next(word for word in words if word.startswith("##"))]
    path.write_text(json.dumps(content), "utf-8")
    run = carried_out(half_recipe, tmp_path / "run", f"teacher.encoder={tmp_path / 'gap'}",
                      last="distill-encoder")  # fmt: skip
    assert (run.folder / "student" / "model.safetensors").is_file()
