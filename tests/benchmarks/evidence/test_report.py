"""What is reported is what was predicted: signs, seeds and tasks, by us and by another script."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.arms import append
from benchmarks.evidence import check
from benchmarks.evidence.__main__ import Evidence
from benchmarks.evidence.arms import PLAIN, RATES, SOME, TASKS, TUNING_SEEDS
from benchmarks.evidence.report import Runs, write_report
from benchmarks.evidence.rows import gold_of, pack_predictions
from mtkd.errors import RunFailed
from mtkd.metrics import score, task_score
from tests.benchmarks.evidence.test_parts import SAMPLE

RATE = RATES[1]


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """Return made-up runs: two arms, seeds 1 and 2 of one and 1 to 3 of the other."""
    found = _evidence(tmp_path)
    rng = np.random.default_rng(1)
    for arm, noise, seeds in ((SOME, 0.6, (1, 2)), (PLAIN, 2.0, (1, 2, 3))):
        for seed in seeds:
            _make_up(found, arm, seed, noise, rng)
    return found


def _evidence(folder: Path, tasks: tuple[str, ...] = TASKS, rows: int = 1000) -> Evidence:
    return Evidence(argparse.Namespace(
        glue=SAMPLE, tasks=[*tasks], rows=rows, runs=folder / "runs", results=folder / "results",
    ))  # fmt: skip


def _make_up(evidence: Evidence, arm: str, seed: int, noise: float, rng: Any) -> None:
    cards = Runs(evidence, RATE).cards
    run: Any = SimpleNamespace(folder=evidence.runs / f"{arm}-{seed}", trained_tasks=evidence.tasks,
                               tasks=cards)  # fmt: skip
    for name, task in cards.items():
        gold, start = gold_of(task), 0
        assert task.folder is not None
        for split in task.dev_splits:
            rows = len((task.folder / f"{split}.jsonl").read_text().splitlines())
            own = gold[start : start + rows]
            start += rows
            classes = np.eye(task.num_outputs)
            exact = own[:, None] if task.kind == "regression" else classes[own.astype(int)]
            logits = exact + rng.normal(scale=noise, size=exact.shape)
            path = run.folder / "predictions/student" / name / f"{split}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pd.DataFrame({"logits": list(logits.astype(np.float32))}).to_parquet(path)
            if arm == SOME and name in {"rte", "stsb"}:
                store = run.folder / "soft_labels" / name / f"{split}.parquet"
                store.parent.mkdir(parents=True, exist_ok=True)
                soft = {"score": own} if task.kind == "regression" else {"probs": list(exact)}
                pd.DataFrame(soft).to_parquet(store)  # right everywhere
    models = ["student", *(["ensemble"] if arm == SOME else [])]
    path = evidence.results / "rows" / f"{arm}-{seed}.npz"
    line = {"arm": arm, "seed": seed, "settings": evidence.settings(arm, RATE, "final"),
            "models": models, "predictions": path.name,
            "sha256": pack_predictions(run, models, path),
            "seconds": {"distill": 8.0, "evaluate": 2.0}}  # fmt: skip
    append(evidence.lines, line)


def _table(text: str, first: str) -> dict[str, str]:
    """Return the row of a report that begins with some words, by column."""
    lines = text.splitlines()
    (number,) = [n for n, line in enumerate(lines) if line.startswith(f"| {first} |")]
    header = number
    while lines[header - 1].startswith("|"):
        header -= 1
    cells = [[c.strip() for c in lines[n].strip("|").split("|")] for n in (header, number)]
    return dict(zip(*cells, strict=True))


def _own_scores(evidence: Evidence, arm: str, seed: int) -> dict[str, float]:
    """Return the scores of the logits that were made up, by mtkd's own metrics."""
    found = {}
    for name, task in Runs(evidence, RATE).cards.items():
        place = evidence.runs / f"{arm}-{seed}/predictions/student" / name
        parts = [np.stack(pd.read_parquet(place / f"{split}.parquet")["logits"].to_list())
                 for split in task.dev_splits]  # fmt: skip
        found[name] = 100 * task_score(task, score(task, np.concatenate(parts), gold_of(task)))
    return found


def test_a_difference_is_that_of_the_seeds_that_both_have(evidence: Evidence) -> None:
    text = write_report(evidence, RATE).read_text()
    row = _table(text, f"{SOME} less {PLAIN}")
    own = [[_own_scores(evidence, arm, seed) for seed in (1, 2)] for arm in (SOME, PLAIN)]
    assert row["seeds"] == "2"
    gaps = {t: np.mean([a[t] - b[t] for a, b in zip(*own, strict=True)]) for t in TASKS}
    for task in TASKS:
        assert row[task].startswith(f"{gaps[task]:+.2f} [")
    assert row["mean"].startswith(f"{np.mean([*gaps.values()]):+.2f} [")
    assert np.mean([*gaps.values()]) > 10  # less noise, and a sign that can be seen to be right


def test_tasks_with_and_without_teachers_are_told_apart(evidence: Evidence) -> None:
    text = write_report(evidence, RATE).read_text()
    whole = _table(text, f"{SOME} less {PLAIN}")
    row = _table(text, f"{SOME} less {PLAIN}, tasks untaught")
    assert (row["rte"], row["mrpc"]) == ("", "")
    assert row["cola"] == whole["cola"] != ""
    assert row["mean"] != whole["mean"]


def test_scores_of_all_models(evidence: Evidence) -> None:
    text = write_report(evidence, RATE).read_text()
    row = _table(text, f"{PLAIN} | student")
    means = [_own_scores(evidence, PLAIN, seed)["rte"] for seed in (1, 2, 3)]
    assert row["seeds"] == "3"
    assert row["rte"] == f"{np.mean(means):.1f} +- {np.std(means, ddof=1):.1f}"
    ensemble = _table(text, f"{SOME} | ensemble")
    assert ensemble["rte"] == "100.0 +- 0.0"
    assert (ensemble["cola"], ensemble["mean"]) == ("", "")  # a mean of some tasks is none
    assert _table(text, "the same answer everywhere")["cola"] == "0.0 +- 0.0"
    assert text.count("Not run yet.") == 3
    assert _table(text, f"{PLAIN} | 3")["not training"] == "20 %"


def test_a_script_of_its_own_agrees(evidence: Evidence) -> None:
    command = [sys.executable, check.__file__, str(SAMPLE), "--rate", RATE,
               "--results", str(evidence.results)]  # fmt: skip
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"difference: ([+-][\d.]+)", printed)
    assert found
    row = _table(write_report(evidence, RATE).read_text(), f"{SOME} less {PLAIN}")
    assert row["mean"].startswith(f"{float(found[1]):+.2f} [")


def test_the_script_imports_nothing_of_ours() -> None:
    imported = re.findall(r"^(?:import|from) (\w+)", Path(check.__file__).read_text(), re.MULTILINE)
    assert {*imported} & {"mtkd", "benchmarks"} == set()
    assert "numpy" in imported


def test_other_tasks_rows_and_rates_are_other_results(evidence: Evidence) -> None:
    folder = evidence.results.parent
    assert evidence.found(SOME, RATE, "final")
    assert not evidence.found(SOME, RATES[0], "final")
    assert not evidence.found(SOME, RATE, "tuning")
    assert not _evidence(folder, ("rte", "mrpc")).found(SOME, RATE, "final")
    assert not _evidence(folder, rows=500).found(SOME, RATE, "final")


def test_a_file_that_is_not_its_lines_is_refused(evidence: Evidence) -> None:
    path = evidence.results / "rows" / f"{SOME}-1.npz"
    path.write_bytes((evidence.results / "rows" / f"{SOME}-2.npz").read_bytes())
    with pytest.raises(RunFailed, match="not the file"):
        write_report(evidence, RATE)


def test_predictions_for_other_rows_are_refused(evidence: Evidence) -> None:
    runs = Runs(evidence, RATE)
    runs.gold = {task: gold[1:] for task, gold in runs.gold.items()}
    with pytest.raises(RunFailed, match="another copy of the data"):
        runs.scored(runs.arms[SOME], "student")


def test_a_model_without_predictions_is_refused(evidence: Evidence) -> None:
    run: Any = SimpleNamespace(folder=evidence.runs / f"{PLAIN}-1", trained_tasks=evidence.tasks,
                               tasks=Runs(evidence, RATE).cards)  # fmt: skip
    with pytest.raises(RunFailed, match="no predictions of ensemble"):
        pack_predictions(run, ["ensemble"], evidence.results / "rows/x.npz")


def test_the_rate_is_the_best_of_both_arms_on_rows_set_aside(evidence: Evidence) -> None:
    assert evidence.choose_rate(carries_out=False) is None
    means = {"2e-4": (0.7, 0.5), "4e-4": (0.65, 0.6), "8e-4": (0.5, 0.75)}
    for rate, own in means.items():
        for arm, value in zip((PLAIN, SOME), own, strict=True):
            for seed in TUNING_SEEDS:
                settings = evidence.settings(arm, rate, "tuning")
                append(evidence.lines, {"arm": arm, "seed": seed, "settings": settings,
                                        "scores": {"rte/dev": value}})  # fmt: skip
    assert evidence.choose_rate(carries_out=False) == "4e-4"  # of equals the lower
    assert _table(write_report(evidence, "4e-4").read_text(), "4e-4")["chosen"] == "yes"


def test_only_the_protocols_own_report_goes_into_docs(evidence: Evidence) -> None:
    assert not evidence.is_protocols
    assert write_report(evidence, None) == evidence.results / "evidence.md"
