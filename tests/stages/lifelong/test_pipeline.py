"""A stream of corpora, learnt one after another by a tiny encoder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

from mtkd.errors import Interrupted
from mtkd.metrics import continual
from mtkd.pipeline import open_run, statuses
from mtkd.recipe import load_recipe
from mtkd.stages.corpora import load_masking
from mtkd.stages.fitting import _start
from mtkd.stages.lifelong import finetune
from tests.carry_out import carried_out
from tests.cli.process import code_of
from tests.training.small import after_step, terminate

METHODS = ("sequential", "replay", "joint", "separate", "logit", "representation", "contrastive",
           "seed", "seed_logit")  # fmt: skip
NAMES = ("animals", "people", "things")
QUIET = ("encoder.dropout=0.0",)


def updates(run: Path, name: str) -> list[dict[str, Any]]:
    text = (run / "checkpoints" / name / "log.jsonl").read_text("utf-8")
    return [line for line in map(json.loads, text.splitlines()) if "dev" not in line]


def weights(run: Path, name: str) -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoints" / name / "model.safetensors")


def made(run: Path) -> dict[str, bytes]:
    """What is made, but for times."""
    return {str(path.relative_to(run)): path.read_bytes() for path in _files(run)}


def _files(run: Path) -> Iterator[Path]:
    for room in ("corpora", "checkpoints", "evaluation"):
        for path in sorted((run / room).rglob("*")):
            if path.is_file() and path.name != "manifest.json":
                yield path


@pytest.mark.parametrize("method", METHODS)
def test_each_method_makes_a_checkpoint_after_each_corpus(
    stream: Path, tmp_path: Path, method: str
) -> None:
    run = carried_out(stream, tmp_path / "run", f"method={method}", last="evaluate")
    content = json.loads((run.folder / "evaluation" / "metrics.json").read_text("utf-8"))
    assert content["domains"] == list(NAMES)
    assert [len(row) for row in content["mlm"]] == [3, 3, 3]
    for name in NAMES:
        folder = run.folder / "checkpoints" / name
        assert not any("queue" in key for key in weights(run.folder, name))
        model = AutoModelForMaskedLM.from_pretrained(folder)
        AutoModel.from_pretrained(folder)
        inputs = AutoTokenizer.from_pretrained(folder)("the cat", return_tensors="pt")
        assert model(**inputs).logits.isfinite().all()
        of_memory = sum(line["task"] == "(memory)" for line in updates(run.folder, name))
        assert (of_memory > 0) == (method == "replay" and name != "animals")
    steps = {"joint": [3, 6, 9], "replay": [3, 4, 4]}.get(method, [3, 3, 3])
    assert [updates(run.folder, name)[-1]["step"] for name in NAMES] == steps


LOSSES = {
    "sequential": {"mlm"}, "replay": {"mlm"}, "joint": {"mlm"}, "separate": {"mlm"},
    "logit": {"mlm", "soft_mlm"}, "representation": {"mlm", "representation"},
    "contrastive": {"mlm", "simcse", "contrastive"}, "seed": {"mlm", "simcse", "seed"},
    "seed_logit": {"mlm", "simcse", "seed", "soft_mlm"},
}  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_its_own_losses_whatever_the_recipe_was_written_for(method: str) -> None:
    recipe = load_recipe("lifelong_tiny", [f"method={method}"])
    assert set(recipe.weighted_losses.weighted()) == LOSSES[method]
    assert (recipe.memory is not None) == (method == "replay")
    more = load_recipe("lifelong_tiny", [f"method={method}", "losses.mlm.weight=3.0"])
    assert more.weighted_losses.mlm.weight == 3.0


@pytest.mark.parametrize(
    ("method", "zero"), [("logit", ["soft_mlm"]), ("representation", ["representation"]),
                         ("seed_logit", ["soft_mlm"])]
)  # fmt: skip
def test_a_stage_begins_as_the_encoder_of_before_which_is_its_teacher(
    stream: Path, tmp_path: Path, method: str, zero: list[str]
) -> None:
    run = carried_out(stream, tmp_path / "run", f"method={method}", *QUIET, last="adapt")
    for name in NAMES[1:]:
        first, *_, last = updates(run.folder, name)
        for term in zero:
            assert first[term] == pytest.approx(0, abs=1e-6)
            assert last[term] > 1e-6
    assert not set(zero) & updates(run.folder, "animals")[0].keys()


@pytest.mark.parametrize("name", ["contrastive", "seed"])
def test_at_equal_temperatures_the_divergence_begins_at_zero_and_the_loss_does_not(
    stream: Path, tmp_path: Path, name: str
) -> None:
    equal = [f"losses.{name}.weight=1.0", f"losses.{name}.temperature=0.2",
             f"losses.{name}.teacher_temperature=0.2"]  # fmt: skip
    run = carried_out(stream, tmp_path / "run", f"method={name}", *QUIET, *equal, last="adapt")
    first = updates(run.folder, "people")[0]
    assert first[f"{name}_divergence"] == pytest.approx(0, abs=1e-6)
    second = updates(run.folder, "people")[1]
    assert second[name] > second[f"{name}_divergence"] > 0
    if name == "seed":  # its queue is empty: another teacher's embeddings are not in it
        assert first["seed"] == pytest.approx(0, abs=1e-6)


def test_separate_and_joint_begin_anew_with_each_corpus(stream: Path, tmp_path: Path) -> None:
    for method in ("separate", "joint"):
        run = open_run(load_recipe(str(stream), [f"method={method}"]), tmp_path / method)
        units = {s.unit.place: s.unit for s in statuses(run)["adapt"]}
        last = units["checkpoints/things"]
        assert any(key.startswith("encoder file model") for key in last.settings)
        corpora = {f"corpora/{name}" for name in (NAMES if method == "joint" else NAMES[2:])}
        assert set(last.needs) == corpora


def test_what_is_learnt_is_known_better_than_before_and_what_is_kept_follows_from_that(
    stream: Path, tmp_path: Path
) -> None:
    long = [f"stream.{n}.steps=40" for n in range(3)]
    run = carried_out(stream, tmp_path / "run", "method=sequential", *long, *QUIET,
                      last="evaluate")  # fmt: skip
    content = json.loads((run.folder / "evaluation" / "metrics.json").read_text("utf-8"))
    nats = content["mlm"]
    for after in range(3):
        assert nats[after][after] == min(row[after] for row in nats[: after + 1])
    scores = [[-value for value in row] for row in nats]
    assert content["kept"]["words"]["forgetting"] == continual.forgetting(scores)
    assert content["kept"]["words"]["adaptation"] == continual.adaptation(scores)
    assert "tasks" not in content["kept"]
    table = (run.folder / "evaluation" / "table.md").read_text("utf-8")
    assert "after people" in table


def test_two_runs_write_the_same_bytes_and_a_stopped_one_goes_on_to_them(
    stream: Path, tmp_path: Path
) -> None:
    whole = carried_out(stream, tmp_path / "whole", "replay.rows=20", last="evaluate")
    again = carried_out(stream, tmp_path / "again", "replay.rows=20", last="evaluate")
    assert made(whole.folder) == made(again.folder)
    for step in (5, 2):  # in the second corpus, then in the third
        with after_step(step, terminate), pytest.raises(Interrupted):
            carried_out(stream, tmp_path / "stopped", "replay.rows=20", last="evaluate")
    stopped = carried_out(stream, tmp_path / "stopped", "replay.rows=20", last="evaluate")
    assert made(whole.folder) == made(stopped.folder)


TASKS = (
    "stream.0.tasks=[rte]",
    "stream.1.tasks=[cola,rte]",
    "stream.2.tasks=[stsb]",
    "downstream.seeds=2",
    "downstream.training.epochs=1",
    "downstream.training.precision=fp32",
)


def test_each_checkpoint_is_fine_tuned_on_each_corpuss_tasks_by_several_seeds(
    stream: Path, tmp_path: Path, tiny_glue: Path
) -> None:
    given = (*TASKS, f"downstream.data.root={tiny_glue}", "downstream.data.max_length=32")
    run = carried_out(stream, tmp_path / "run", *given, last="evaluate")
    content = json.loads((run.folder / "evaluation" / "metrics.json").read_text("utf-8"))
    assert content["tasks"] == [["rte"], ["cola", "rte"], ["stsb"]]

    def score(name: str, task: str, seed: int) -> float:
        folder = run.folder / "downstream" / "finetune" / name / task / str(seed)
        chosen = json.loads((folder / "metrics.json").read_text("utf-8"))["chosen"]
        return float(chosen["mean"])

    for t, name in enumerate(NAMES):
        for s in (1, 2):
            both = (score(name, "cola", s) + score(name, "rte", s)) / 2
            found = [content["scores"][t][i][s - 1] for i in range(3)]
            assert found == pytest.approx([score(name, "rte", s), both, score(name, "stsb", s)])
    matrix = [[sum(cell) / 2 for cell in row] for row in content["scores"]]
    assert content["kept"]["tasks"]["average"] == pytest.approx(sum(matrix[2]) / 3)
    transfer = (matrix[2][0] - matrix[0][0] + matrix[2][1] - matrix[1][1]) / 2
    assert content["kept"]["tasks"]["backward_transfer"] == pytest.approx(transfer)
    # a copy starts from its checkpoint, and seeds differ
    units = {s.unit.place: s.unit for s in statuses(run)["finetune"]}
    copy = units["downstream/finetune/people/rte/2"]
    assert "checkpoints/people" in copy.needs
    one, two = (load_file(run.folder / f"downstream/finetune/people/rte/{s}/model.safetensors")
                for s in (1, 2))  # fmt: skip
    assert any(not torch.equal(one[name], two[name]) for name in one)
    rows = [s.unit.place for s in statuses(run)["corpora"] if "prepared" in s.unit.place]
    assert len(rows) == 3  # before anything is trained; no test rows
    table = (run.folder / "evaluation" / "table.md").read_text("utf-8")
    assert "people (cola, rte)" in table
    later = open_run(load_recipe(str(stream), [*given, "stream.2.steps=4"]), run.folder)
    stale = {s.unit.place for parts in statuses(later).values() for s in parts if s.state != "done"}
    own = {f"downstream/finetune/things/{task}/{s}" for task in ("rte", "cola", "stsb")
           for s in (1, 2)}  # fmt: skip
    assert stale == {"checkpoints/things", "evaluation"} | own


def test_a_copy_begins_with_the_weights_of_its_checkpoint(
    stream: Path, tmp_path: Path, tiny_glue: Path
) -> None:
    rows = (f"downstream.data.root={tiny_glue}", "downstream.data.max_length=32")
    run = carried_out(stream, tmp_path / "run", *TASKS, *rows, last="adapt")
    unit = next(u for u in finetune.units(run) if u.place == "downstream/finetune/people/rte/1")
    on_tasks, fit = unit.build.args
    encoder = _start(on_tasks, fit, 1).encoder.state_dict()
    saved = weights(run.folder, "people")
    shared = {name for name in encoder if f"bert.{name}" in saved}
    assert {name for name in encoder if "pooler" not in name} == shared
    assert all(torch.equal(encoder[name], saved[f"bert.{name}"]) for name in shared)
    other = weights(run.folder, "animals")
    assert not all(torch.equal(saved[f"bert.{name}"], other[f"bert.{name}"]) for name in shared)


CHECKPOINTS = [f"checkpoints/{name}" for name in NAMES]


@pytest.mark.parametrize(
    ("override", "stale"),
    [
        ("training.log_every=3", []),
        ("stream.1.steps=4", [*CHECKPOINTS[1:], "evaluation"]),
        ("stream.2.corpus.min_tokens=3", ["corpora/things", CHECKPOINTS[2], "evaluation"]),
        ("method=seed", [*CHECKPOINTS[1:], "evaluation"]),  # the first corpus is learnt alike
        ("method=sequential", [*CHECKPOINTS, "evaluation"]),
        ("embeddings.queue=17", [*CHECKPOINTS, "evaluation"]),
        ("losses.simcse.temperature=0.1", [*CHECKPOINTS, "evaluation"]),
        ("replay.rows=5", [*CHECKPOINTS[1:], "evaluation"]),
        ("training.learning_rate=0.002", [*CHECKPOINTS, "evaluation"]),
        ("masking.share=0.2", [*CHECKPOINTS, "evaluation"]),
    ],
)
def test_a_key_makes_stale_what_it_shapes_and_what_follows(
    finished: Path, stream: Path, override: str, stale: list[str]
) -> None:
    extra = ["losses.simcse.weight=1.0"] if "simcse" in override else []
    run = open_run(load_recipe(str(stream), [override, *extra]), finished)
    found = [s.unit.place for parts in statuses(run).values() for s in parts if s.state != "done"]
    assert found == stale


@pytest.fixture
def finished(stream: Path, tmp_path: Path) -> Path:
    return carried_out(stream, tmp_path / "run", last="evaluate").folder


def test_runs_of_one_stream_are_compared_and_of_others_refused(
    stream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for method in ("sequential", "logit"):
        carried_out(stream, tmp_path / method, f"method={method}", last="evaluate")
    assert code_of(monkeypatch, "lifelong-compare", "sequential", "logit") == 0
    said = capsys.readouterr().out
    assert "backward transfer" in said
    kept = json.loads((tmp_path / "logit" / "evaluation" / "metrics.json").read_text())["kept"]
    assert f"{kept['words']['forgetting']:+.3f}" in said
    assert code_of(monkeypatch, "lifelong-compare", "sequential", "logit", "--json") == 0
    assert json.loads(capsys.readouterr().out)["logit"] == kept
    drawn = []
    for folder in ("one", "two"):
        command = ("lifelong-compare", "sequential", "logit", "--plot", folder)
        assert code_of(monkeypatch, *command) == 0
        drawn.append({p.name: p.read_bytes() for p in (tmp_path / folder).iterdir()})
    pictures = {"1-words", "2-words", "retention-words"}
    assert set(drawn[0]) == {f"{name}.{kind}" for name in pictures for kind in ("png", "svg")}
    assert drawn[0] == drawn[1]
    nats = json.loads((tmp_path / "logit" / "evaluation" / "metrics.json").read_text())["mlm"]
    svg = drawn[0]["2-words.svg"].decode()
    assert all(f"<!-- {value:.2f} -->" in svg for row in nats for value in row)
    carried_out(stream, tmp_path / "other", "stream.0.name=beasts", last="evaluate")
    carried_out(stream, tmp_path / "masked", "masking.share=0.3", last="evaluate")
    for given, says in (
        ("other", "other: has other corpora"),
        ("masked", "masked: has other masks"),
        ("nowhere", "nowhere: has no fin"),
    ):
        assert code_of(monkeypatch, "lifelong-compare", "sequential", given) == 2
        assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("method", "counted"),
    [("sequential", [1, 1, 1]), ("replay", [1, 2, 3]), ("joint", [1, 2, 3]),
     ("separate", [1, 1, 1])],
)  # fmt: skip
def test_words_are_masked_by_their_counts_in_all_that_is_read(
    stream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, counted: list[int]
) -> None:
    """Else a word of remembered rows that the new corpus lacks would be masked as a rare one."""
    asked = []

    def noted(folders: list[Path], *rest: Any) -> Any:
        asked.append([folder.name for folder in folders])
        return load_masking(folders, *rest)

    monkeypatch.setattr("mtkd.stages.lifelong.adapting.load_masking", noted)
    carried_out(stream, tmp_path / "run", f"method={method}", last="adapt")
    assert asked == [list(NAMES[n + 1 - count : n + 1]) for n, count in enumerate(counted)]
