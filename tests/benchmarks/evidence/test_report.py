"""Packed predictions are scored as they were made, by us and by a script without our code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.evidence import check
from benchmarks.evidence.__main__ import card_of
from benchmarks.evidence.arms import PLAIN, SOME, TASKS
from benchmarks.evidence.parts import write_parts
from benchmarks.evidence.report import write_report
from benchmarks.evidence.rows import gold_of, pack_predictions, scored
from mtkd.errors import ShapeError
from mtkd.metrics import score, task_score
from mtkd.task import Task, load_task
from tests.benchmarks.evidence.test_parts import SAMPLE

SETTINGS = ["rows=1"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Task]]:
    """Return made-up results of two arms with two seeds, and the cards of their tasks."""
    folder = tmp_path_factory.mktemp("evidence")
    for name in TASKS:
        write_parts(name, SAMPLE, folder / "parts")
    tasks = {name: load_task(card_of(folder, name)) for name in TASKS}
    rng = np.random.default_rng(1)
    for arm, noise in ((SOME, 1.0), (PLAIN, 2.0)):
        for seed in (1, 2):
            run: Any = SimpleNamespace(folder=folder / f"{arm}-{seed}", trained_tasks=TASKS,
                                       tasks=tasks)  # fmt: skip
            _make_up(run, noise, rng)
            packed = f"{arm}-{seed}.npz"
            models = pack_predictions(run, folder / "rows" / packed)
            seconds = {"distill": 8.0, "evaluate": 2.0}
            line = {"arm": arm, "seed": seed, "settings": SETTINGS, "models": models,
                    "predictions": packed, "seconds": seconds}  # fmt: skip
            with (folder / "runs.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
    return folder, tasks


def _make_up(run: Any, noise: float, rng: np.random.Generator) -> None:
    gold = {name: gold_of(task) for name, task in run.tasks.items()}
    for name, task in run.tasks.items():
        start = 0
        for split in task.dev_splits:
            path = run.folder / "predictions/student" / name / f"{split}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = _rows_of(task, split)
            own = gold[name][start : start + rows]
            start += rows
            target = (
                own[:, None]
                if task.kind == "regression"
                else np.eye(task.num_outputs)[own.astype(int)]
            )
            logits = target + rng.normal(scale=noise, size=target.shape)
            pd.DataFrame({"logits": list(logits.astype(np.float32))}).to_parquet(path)
            store = run.folder / "soft_labels" / name / f"{split}.parquet"
            store.parent.mkdir(parents=True, exist_ok=True)
            soft = {"score": own} if task.kind == "regression" else {"probs": list(target)}
            pd.DataFrame(soft).to_parquet(store)  # is right everywhere


def _rows_of(task: Task, split: str) -> int:
    assert task.folder is not None
    return len((task.folder / f"{split}.jsonl").read_text().splitlines())


def _lines(folder: Path, arm: str) -> list[dict[str, Any]]:
    lines = map(json.loads, (folder / "runs.jsonl").read_text().splitlines())
    return [line for line in lines if line["arm"] == arm]


def test_scores_are_those_of_the_predictions(results: tuple[Path, dict[str, Task]]) -> None:
    folder, tasks = results
    gold = {name: gold_of(task) for name, task in tasks.items()}
    found = scored(_lines(folder, SOME), folder / "rows", "student", tasks, gold)
    for name, task in tasks.items():
        for seed, value in zip((1, 2), found[name].scores, strict=True):
            place = folder / f"{SOME}-{seed}/predictions/student" / name
            logits = np.concatenate([
                np.stack(pd.read_parquet(place / f"{split}.parquet")["logits"].to_list())
                for split in task.dev_splits
            ])  # fmt: skip
            expected = task_score(task, score(task, logits, gold[name]))
            assert value == pytest.approx(100 * expected, abs=1e-4)


def test_the_ensemble_is_what_the_stores_say(results: tuple[Path, dict[str, Task]]) -> None:
    folder, tasks = results
    gold = {name: gold_of(task) for name, task in tasks.items()}
    found = scored(_lines(folder, SOME), folder / "rows", "ensemble", tasks, gold)
    for each in found.values():
        assert each.scores == pytest.approx([100.0, 100.0])


def test_predictions_for_other_rows_are_refused(results: tuple[Path, dict[str, Task]]) -> None:
    folder, tasks = results
    gold = {name: gold_of(task)[1:] for name, task in tasks.items()}
    with pytest.raises(ShapeError, match="another copy of the data"):
        scored(_lines(folder, SOME), folder / "rows", "student", tasks, gold)


def test_a_script_of_its_own_agrees(results: tuple[Path, dict[str, Task]]) -> None:
    folder, tasks = results
    command = [sys.executable, check.__file__, str(SAMPLE), "--results", str(folder)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    gold = {name: gold_of(task) for name, task in tasks.items()}
    means = []
    for arm in (SOME, PLAIN):
        found = scored(_lines(folder, arm), folder / "rows", "student", tasks, gold)
        means.append(np.mean([each.scores for each in found.values()]))
    assert f"difference: {means[0] - means[1]:+.4f}" in printed


def test_the_script_imports_nothing_of_ours() -> None:
    text = Path(check.__file__).read_text()
    assert "mtkd" not in text.split('"""', 2)[2]
    assert "import benchmarks" not in text
    assert "from benchmarks" not in text


def test_the_report_has_both_arms_and_their_difference(
    results: tuple[Path, dict[str, Task]], tmp_path: Path
) -> None:
    folder, tasks = results
    cards = {name: card_of(folder, name) for name in tasks}
    write_report(folder, SETTINGS, cards, tmp_path / "evidence.md")
    text = (tmp_path / "evidence.md").read_text()
    assert "| some teachers | student | 2 |" in text
    assert "| some teachers less plain | 2 |" in text
    assert text.count("Not run yet.") == 3
    assert "| some teachers | 2 | 10 | 20 % |" in text
    for kind in ("png", "svg"):
        assert (tmp_path / f"evidence/differences.{kind}").stat().st_size > 0
