"""What cannot be compressed ends with 2 and the key at fault, before anything is trained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from mtkd.encoders.mlm_head import HEAD_WEIGHT
from tests.cli.process import code_of


@pytest.fixture
def recipe(tmp_path: Path, tiny_encoder_with_head: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe in an empty folder, which is the present one, and a corpus."""
    content = {
        "name": "small",
        "kind": "compress",
        "teacher": {"encoder": tiny_encoder_with_head},
        "student": {"layers": 1},
        "corpus": {"files": ["texts.txt"], "dev_share": 0.3},
        "losses": {"soft_mlm": {"weight": 1.0}},
        "training": {"epochs": 1, "precision": "fp32"},
    }
    OmegaConf.save(OmegaConf.create(content), tmp_path / "small.yaml")
    lines = [f"the cat sees the dog and the bird {i}" for i in range(40)]
    (tmp_path / "texts.txt").write_text("\n".join(lines), "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "small.yaml"


@pytest.fixture
def refused(recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command that must end with 2, train nothing and leave nothing; return what it says."""

    def run(*overrides: str, command: str = "compress", tokenised: bool = False) -> str:
        def never(*args: object, **kwargs: object) -> None:
            raise AssertionError("too late")

        monkeypatch.setattr("mtkd.training.loop.train", never)
        monkeypatch.setattr("mtkd.stages.compress.fit._build", never)
        monkeypatch.setattr("mtkd.stages.fit._build", never, raising=False)
        if not tokenised:
            monkeypatch.setattr("mtkd.examples.corpus.write_corpus", never)
            monkeypatch.setattr("mtkd.examples.texts.read_texts", never)
        before = set(recipe.parent.iterdir())
        assert code_of(monkeypatch, command, str(recipe), *overrides) == 2
        said = capsys.readouterr().err
        assert "Traceback" not in said
        runs = {recipe.parent / "runs"} if tokenised else set()
        assert set(recipe.parent.iterdir()) - runs == before
        assert not (recipe.parent / "runs" / "small").exists()
        return said

    return run


CONFIGURATION = [
    (("student.layers=3",), "student.layers: 3, but the teacher has 2"),
    (("student.layers=[0,2]",), "student.layers: 2, of 2 layers counted from 0"),
    (("student.layers=[1,0]",), "student.layers: expected numbers that ascend"),
    (("teacher.layers=3",), "teacher.layers: "),
    (("teacher.layers=1", "student.layers=2"), "student.layers: 2, but the teacher has 1"),
    (("corpus.max_length=129",), "corpus.max_length: 129, but "),
    (("losses.minilm={weight: 1, relation_heads: 5}",),
     "losses.minilm.relation_heads: 5 does not divide both widths, 32 and 32"),
    (("losses.minilm={weight: 1, relation_heads: 4, teacher_layer: 3}",),
     "losses.minilm.teacher_layer: 3, of 2 layers"),
    (("losses.pkd.weight=1",), "losses.pkd: is on all layers of the student but the last"),
    (("losses.soft_ml.weight=1",), "losses.soft_ml: unknown key; did you mean 'soft_mlm'?"),
    (("losses.soft_mlm.weight=0",), "losses: none has a weight above 0"),
    (("losses={}",), "losses: none has a weight above 0"),
    (("corpus.files=[]",), "corpus: name files, hub or tasks"),
    (("corpus.files=[no.txt,texts.txt]",), "corpus.files: no.txt: no such file"),
    (("corpus.files=[texts.md]",), "corpus.files.0: expected a file of texts, whose name ends in"),
    (("corpus.tasks=[rtee]",), "rtee: no such task or card; did you mean 'rte'"),
    (("corpus.tasks=[ax]", "corpus.data.source=sample"), "corpus.tasks: ax has no train rows"),
    (("corpus.tasks=[rte,rte]", "corpus.data.source=sample"), "corpus.tasks: rte stands twice"),
    (("corpus.tasks=[rte]",), "corpus.data: rte: data.root: expected the path of a glue_data fol"),
    (("corpus.tasks=[rte]", "corpus.data.root=nowhere"),
     "corpus.data: rte: nowhere/RTE/train.tsv: no such file"),
    (("teacher.encoder=./nowhere",), "./nowhere: no such directory"),
    (("teacher.dropout=2",), "teacher.dropout: expected less than 1"),
    (("student.layers=[0]", "student.keep=last"), "student: keep: last says which layers where"),
    (("corpus.files=[texts.txt,texts.txt]",), "corpus: files: texts.txt stands twice"),
    (("losses.simcse.weight=1", "training.batch_size=1"), "training.batch_size: losses.simcse is"),
    (("losses.seed={weight: 1}", "embeddings.queue=31"), "embeddings.queue: 31, but a batch"),
    (("losses.seed={weight: 1}", "training.accumulation=2"), "training.accumulation: losses.seed"),
    (("losses.simcse={weight: 1}", "training.batch_size=auto"), "training.batch_size: losses.simc"),
    (("losses.seed={weight: 1}", "training.max_tokens=999"), "training.max_tokens: losses.seed is"),
    (("losses={hidden_mse: {weight: 1}, simcse: {weight: 1}}", "student.hidden_size=16"),
     "losses.hidden_mse: projects the states of a student of 16 dimensions"),
    (("masking.smoothing=2000",), "masking.smoothing: "),
    (("warmup_mlm=1", "warmup_training.epochs=2"), "warmup_training.epochs: warmup_mlm says"),
]  # fmt: skip


@pytest.mark.parametrize(("overrides", "says"), CONFIGURATION)
def test_what_the_configuration_shows_is_refused_before_a_text_is_read(
    overrides: tuple[str, ...], says: str, refused
) -> None:
    assert says in refused(*overrides)


def test_all_that_does_not_fit_is_named_at_once(refused) -> None:
    said = refused("student.layers=3", "corpus.files=[no.txt]", "corpus.max_length=1000")
    assert "3 fault(s)" in said
    assert all(key in said for key in ("student.layers", "corpus.files", "corpus.max_length"))


TEXT = [
    ("texts.txt", b"", "corpus.files: texts.txt: expected texts, found none"),
    ("texts.txt", b"\n\n", "corpus.files: texts.txt: expected texts, found none"),
    ("texts.txt", b"cat\n", "corpus: no row is left to learn from: of 1 texts 1 rows are shorter"),
    ("texts.txt", b"cat\n" * 1000, "than corpus.min_tokens=5"),
    ("texts.txt", b"the cat sees a dog\n" * 9, "corpus.dev_share=0.3: "),
    ("texts.txt", b"words" * 2_000_000, "corpus.files: texts.txt:1: expected a text of at most"),
    ("texts.txt", "\u732b".encode() * 3_333_333, "texts.txt:1: expected a text of at most"),
    ("texts.txt", b"\xff\xfecat", "corpus.files: texts.txt:1: expected UTF-8, found the byte"),
    ("t.jsonl", b'{"txt": "cat"}', "corpus.files: t.jsonl:1: expected a key 'text', found 'txt'"),
    ("t.parquet", b"cat", "corpus.files: t.parquet: cannot be read as Parquet"),
]


@pytest.mark.parametrize(("name", "content", "says"), TEXT)
def test_what_is_no_corpus_is_refused_before_training(
    name: str, content: bytes, says: str, recipe: Path, refused
) -> None:
    (recipe.parent / name).write_bytes(content)
    assert says in refused(f"corpus.files=[{name}]", tokenised=True)


def test_a_parquet_file_without_rows_is_refused(recipe: Path, refused) -> None:
    table = pa.table({"text": pa.array([], pa.string())})
    pq.write_table(table, recipe.parent / "t.parquet")
    said = refused("corpus.files=[t.parquet]", tokenised=True)
    assert "corpus.files: t.parquet: expected texts, found none" in said


# teachers


def test_a_head_that_has_to_be_trained_first_is_asked_for(tiny_encoder: str, refused) -> None:
    said = refused(f"teacher.encoder={tiny_encoder}")
    assert f"warmup_mlm: {tiny_encoder} comes without a masked-language head" in said


def plans(recipe: Path, monkeypatch: pytest.MonkeyPatch, *overrides: str) -> bool:
    return code_of(monkeypatch, "compress", str(recipe), *overrides, "--dry-run") == 0


@pytest.mark.parametrize("overrides", [["warmup_mlm=1"], ["losses={cosine: {weight: 1}}"]])
def test_without_a_head_a_teacher_serves_once_it_is_trained_or_not_read(
    overrides: list[str], tiny_encoder: str, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plans(recipe, monkeypatch, f"teacher.encoder={tiny_encoder}", *overrides)


@pytest.mark.parametrize("kind", sorted(HEAD_WEIGHT))
def test_a_head_is_known_by_its_weights_as_transformers_writes_them(
    kind: str, tmp_path: Path
) -> None:
    from transformers import AutoConfig, AutoModelForMaskedLM

    from mtkd.distillation.states import HAVE_MLM_HEAD

    assert set(HEAD_WEIGHT) == set(HAVE_MLM_HEAD)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = AutoConfig.for_model(
        kind, **sizes, intermediate_size=64, vocab_size=99, pad_token_id=0
    )
    model = AutoModelForMaskedLM.from_config(config)
    model.save_pretrained(tmp_path / "with")
    model.base_model.save_pretrained(tmp_path / "without")
    names = {}
    for place in ("with", "without"):
        with safe_open(tmp_path / place / "model.safetensors", "np") as file:
            names[place] = set(file.keys())
    assert HEAD_WEIGHT[kind] in names["with"] - names["without"]


@pytest.fixture
def changed(tmp_path: Path, tiny_encoder_with_head: str):
    """Return a copy of the teacher with changes to its config.json; None takes a key out."""

    def change(changes: Mapping[str, Any]) -> Path:
        folder = tmp_path / "encoder"
        shutil.copytree(tiny_encoder_with_head, folder)
        path = folder / "config.json"
        config = {**json.loads(path.read_text()), **changes}
        config = {key: value for key, value in config.items() if value is not None}
        path.write_text(json.dumps(config))
        return folder

    return change


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"num_hidden_layers": None}, "expected a key num_hidden_layers or n_layers, found none"),
        ({"hidden_size": None}, "expected a key hidden_size or dim, found none"),
        ({"num_attention_heads": None}, "expected a key num_attention_heads or n_heads, found non"),
        ({"vocab_size": None}, "expected a key vocab_size, found none"),
        ({"num_hidden_layers": "two"}, "num_hidden_layers: expected a whole number of 1 or more, "),
        ({"num_hidden_layers": True}, "num_hidden_layers: expected a whole number of 1 or more, "),
        ({"hidden_size": 32.5}, "hidden_size: expected a whole number of 1 or more, found 32.5"),
        ({"num_attention_heads": 0}, "num_attention_heads: expected a whole number of 1 or more"),
        ({"num_attention_heads": 5}, "5 attention heads do not divide a width of 32"),
        ({"num_hidden_layers": 6}, "6 layers, but the weights beside it are those of 2"),
    ],
)
def test_a_configuration_that_lies_is_named_by_its_file(
    changes: Mapping[str, Any], says: str, changed, refused
) -> None:
    folder = changed(changes)
    said = refused(f"teacher.encoder={folder}", "student.layers=1")
    assert f"teacher.encoder: {folder / 'config.json'}: {says}" in said


@pytest.mark.parametrize("kind", ["gpt2", "albert", "t5"])
def test_a_kind_without_a_head_here_is_refused(kind: str, changed, refused) -> None:
    said = refused(f"teacher.encoder={changed({'model_type': kind})}")
    assert f"teacher.encoder: a {kind} encoder cannot be compressed; those that can are" in said


def test_a_tokenizer_with_more_words_than_the_encoder_is_refused(
    tiny_encoder_with_head: str, tmp_path: Path, refused
) -> None:
    folder = tmp_path / "fewer"
    shutil.copytree(tiny_encoder_with_head, folder)
    config = json.loads((folder / "config.json").read_text())
    words = config["vocab_size"]
    weights = load_file(folder / "model.safetensors")
    fewer = {name: tensor[:-1].clone() if tensor.size(0) == words else tensor
             for name, tensor in weights.items()}  # fmt: skip
    save_file(fewer, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": words - 1}))
    said = refused(f"teacher.encoder={folder}", tokenised=True)
    assert f"its tokenizer has {words} words, its embeddings have {words - 1}" in said


# kinds of recipes


def test_a_compress_recipe_has_no_stage_of_a_pipeline_on_tasks(refused) -> None:
    said = refused(command="prepare")
    assert "small: a compress recipe has no stage prepare; it has corpus, init-student" in said


def test_a_recipe_of_tasks_is_not_compressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert code_of(monkeypatch, "compress", "quickstart", "--dry-run") == 2
    said = capsys.readouterr().err
    assert "quickstart: kind: expected compress, found glue" in said
    assert list(tmp_path.iterdir()) == []


def test_each_stage_is_a_command_and_a_dry_run_says_what_it_does_not_know(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def places() -> set[str]:
        run = recipe.parent / "runs" / "small"
        return {path.parent.name for path in run.glob("*/manifest.json")}

    note = "Steps are known once there is a corpus"
    assert code_of(monkeypatch, "distill-encoder", str(recipe), "--dry-run") == 0
    assert note in capsys.readouterr().out
    stages = {"corpus": {"corpus"}, "init-student": {"student_init"},
              "distill-encoder": {"student"}, "evaluate": {"evaluation"}}  # fmt: skip
    for command, made in stages.items():
        before = places()
        assert code_of(monkeypatch, command, str(recipe)) == 0
        assert places() - before == made
        assert code_of(monkeypatch, command, str(recipe), "--dry-run") == 0
        assert note not in capsys.readouterr().out
    assert code_of(monkeypatch, "corpus", "quickstart", "--dry-run") == 2
    assert "a glue recipe has no stage corpus" in capsys.readouterr().err
