"""Differences between arms are paired by seed, and runs that are done are not done again."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import accuracy
from mtkd.recipe import load_recipe


def test_differences_are_paired_by_seed() -> None:
    # seeds differ by 10 points, arms by 1 in every seed
    mean, error, verdict = accuracy.difference([61.0, 71.0, 81.0], [60.0, 70.0, 80.0])
    assert (mean, error) == (1.0, 0.0)
    assert verdict == "no, though less than the deviation over seeds"


def test_a_difference_beyond_two_standard_errors_and_the_seeds_is_no_noise() -> None:
    assert accuracy.difference([50.0, 50.2, 50.1], [60.0, 60.1, 60.3])[2] == "NO"


def test_a_difference_within_two_standard_errors_is_noise() -> None:
    mean, error, verdict = accuracy.difference([61.0, 59.5, 60.1], [60.0, 60.0, 60.0])
    assert mean == pytest.approx(0.2)
    assert error == pytest.approx(0.4359, abs=1e-4)
    assert verdict == "yes, 2 standard errors"


def test_scores_are_compared_seed_by_seed() -> None:
    scores = {
        "default": {1: {"rte": 0.50, "mrpc": 0.70}, 2: {"rte": 0.60, "mrpc": 0.80}},
        "fp32": {2: {"rte": 0.61, "mrpc": 0.80}, 1: {"rte": 0.51, "mrpc": 0.70}},
    }
    rows = {(row[0], row[1]): row for row in accuracy.compare(scores).rows}
    assert rows["rte", "fp32"][3] == "+1.0 +- 0.0"
    assert rows["mrpc", "fp32"][3] == "+0.0 +- 0.0"


def test_finished_runs_are_read_back_unless_settings_differ(tmp_path: Path) -> None:
    path = tmp_path / "results" / "accuracy.jsonl"
    entry = {"arm": "fp32", "seed": 1, "rows": 10, "settings": [*accuracy.SETTINGS], "scores": {}}
    accuracy.append(path, entry)
    accuracy.append(path, {**entry, "seed": 2, "settings": ["training.epochs=9"]})
    assert set(accuracy.read_done(path)) == {("fp32", 1, 10)}


@pytest.mark.parametrize("arm", [a for a in accuracy.ARMS if a != "compiled"])
def test_every_arms_overrides_are_keys_of_the_recipe(arm: str) -> None:
    recipe = load_recipe("glue_small", [*accuracy.SETTINGS, *accuracy.ARMS[arm], "data.root=x"])
    assert recipe.teachers is None
    assert recipe.tasks == accuracy.TASKS
    assert recipe.training.keep == "last"
