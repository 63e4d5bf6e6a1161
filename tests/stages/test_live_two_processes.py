"""Losses between encoders in two processes: each parameter that a loss reaches, and no other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.carry_out import carried_out

LAUNCH = [
    sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2",
    "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
    "--main_process_port", "0",
]  # fmt: skip
SHARDED = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}


def launched(recipe: Path, folder: Path, *overrides: str, **environment: str) -> None:
    command = [*LAUNCH, "-m", "mtkd", "run", str(recipe), *overrides, "--run-dir", str(folder)]
    env = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=env)
    assert done.returncode == 0, done.stderr[-2000:]


def updates(path: Path) -> list[dict[str, float]]:
    """The losses of each update, by term."""
    lines = map(json.loads, path.read_text("utf-8").splitlines())
    left_out = {"task", "gradient_norm"}
    return [
        {key: value for key, value in line.items() if key not in left_out}
        for line in lines
        if "dev" not in line
    ]


@pytest.mark.parametrize("environment", [{}, SHARDED], ids=["each whole", "sharded"])
@pytest.mark.parametrize(
    "overrides",
    [
        ("warmup_mlm=null", "losses={attention_mse: {weight: 1.0}}"),
        ("student.hidden_size=16",
         "losses={soft_mlm: {weight: 5.0}, mlm: {weight: 2.0}, hidden_mse: {weight: 1.0}, "
         "embedding_mse: {weight: 1.0}, minilm: {weight: 1.0, relation_heads: 4}}"),
    ],
    ids=["attention alone", "many, projected"],
)  # fmt: skip
def test_a_student_of_two_processes_is_that_of_one(
    half_recipe: Path, tmp_path: Path, overrides: tuple[str, ...], environment: dict[str, str]
) -> None:
    # each process draws its own dropout, and takes half of a batch
    overrides = (*overrides, "student.dropout=0.0", "training.batch_size=15", "training.epochs=1")
    carried_out(half_recipe, tmp_path / "one", *overrides, last="distill-encoder")
    launched(half_recipe, tmp_path / "two", *overrides, **environment)
    one, two = (
        json.loads((tmp_path / name / "student" / "metrics.json").read_text("utf-8"))
        for name in ("one", "two")
    )
    # not weights: AdamW makes a whole step of a gradient that is nothing but rounding
    assert two["chosen"]["mean"] == pytest.approx(one["chosen"]["mean"], rel=1e-3)
    logs = [updates(tmp_path / name / "student" / "log.jsonl") for name in ("one", "two")]
    assert len(logs[0]) == len(logs[1]) > 2
    for before, after in zip(*logs, strict=True):
        assert after == pytest.approx(before, rel=1e-3)


def test_tasks_with_and_without_live_teachers_in_an_intermediate_training_and_after(
    tiny_recipe: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    same_words = f"teachers.candidates.2.encoder={tiny_encoder}"
    common = ("tasks=[rte,stsb]", "teachers.tasks=[rte]", "teachers.select.by=[rte]", same_words,
              "teachers.refine=false", "student.finetune=false", "baseline=false",
              "student.losses={hidden_mse: {weight: 1.0}}")  # fmt: skip
    launched(tiny_recipe, tmp_path / "beside", *common)
    launched(tiny_recipe, tmp_path / "before", *common, "student.intermediate.epochs=2")
    assert (tmp_path / "before" / "student_intermediate" / "model.safetensors").is_file()
