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
from mtkd.pipeline import open_run, statuses
from mtkd.recipe import load_recipe
from tests.carry_out import carried_out
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
    assert [updates(run.folder, name)[-1]["step"] for name in NAMES] == [3, 3, 3]


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


def test_what_is_learnt_last_is_known_best_without_anything_to_hold_on_to(
    stream: Path, tmp_path: Path
) -> None:
    """Each corpus has words of its own, and a long training on it."""
    long = [f"stream.{n}.steps=40" for n in range(3)]
    run = carried_out(stream, tmp_path / "run", "method=sequential", *long, *QUIET,
                      last="evaluate")  # fmt: skip
    content = json.loads((run.folder / "evaluation" / "metrics.json").read_text("utf-8"))
    nats = content["mlm"]
    for after in range(3):
        assert nats[after][after] == min(row[after] for row in nats[: after + 1])
    assert content["kept"]["forgetting"] > 0
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


CHECKPOINTS = [f"checkpoints/{name}" for name in NAMES]


@pytest.mark.parametrize(
    ("override", "stale"),
    [
        ("training.log_every=3", []),
        ("stream.1.steps=4", [*CHECKPOINTS[1:], "evaluation"]),
        ("stream.2.corpus.min_tokens=3", ["corpora/things", CHECKPOINTS[2], "evaluation"]),
        ("method=seed", [*CHECKPOINTS[1:], "evaluation"]),  # the first corpus is learnt alike
        ("method=sequential", [*CHECKPOINTS, "evaluation"]),
        ("losses.seed.queue=17", [*CHECKPOINTS[1:], "evaluation"]),
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
