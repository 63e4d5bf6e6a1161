"""Differences between arms are paired by seed, and runs that are done are not done again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import arms
from mtkd.errors import Interrupted


def test_differences_are_paired_by_seed() -> None:
    # seeds differ by 10 points, arms by 1 in every seed
    mean, error, verdict = arms.difference([61.0, 71.0, 81.0], [60.0, 70.0, 80.0])
    assert (mean, error) == (1.0, 0.0)
    assert verdict == "no, though less than the deviation over seeds"


def test_a_difference_beyond_two_standard_errors_and_the_seeds_is_no_noise() -> None:
    assert arms.difference([50.0, 50.2, 50.1], [60.0, 60.1, 60.3])[2] == "NO"


def test_a_difference_within_two_standard_errors_is_noise() -> None:
    mean, error, verdict = arms.difference([61.0, 59.5, 60.1], [60.0, 60.0, 60.0])
    assert mean == pytest.approx(0.2)
    assert error == pytest.approx(0.4359, abs=1e-4)
    assert verdict == "yes, 2 standard errors"


def test_a_command_goes_on_after_the_runs_that_a_file_holds(tmp_path: Path) -> None:
    path = tmp_path / "results" / "accuracy.jsonl"
    begun: list[tuple[str, int]] = []

    def run(arm: str, seed: int) -> dict[str, Any]:
        begun.append((arm, seed))
        if len(begun) == 3:
            raise Interrupted("stopped")
        return {"scores": {"rte": seed / 10}}

    with pytest.raises(SystemExit, match=r"stopped; the same command with --results .*jsonl goes"):
        arms.carry_out(path, ["rows=10"], ["default", "fp32"], [1, 2], run)
    found = arms.carry_out(path, ["rows=10"], ["default", "fp32"], [1, 2], run)
    every = [("default", 1), ("fp32", 1), ("default", 2), ("fp32", 2)]
    assert begun == [*every[:3], *every[2:]]
    assert arms.scores_of(found) == {
        arm: {1: {"rte": 0.1}, 2: {"rte": 0.2}} for arm in ("default", "fp32")
    }
    assert arms.read_done(path, ["rows=11"]) == {}  # of other settings


def test_a_line_that_was_cut_short_counts_for_nothing_and_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    entries = [{"arm": "a", "seed": seed, "settings": ["x"]} for seed in (1, 2)]
    arms.append(path, entries[0])
    with path.open("a") as file:
        file.write('{"arm": "a", "seed": 9, "sett')
    assert arms.read_done(path, ["x"]) == {("a", 1): entries[0]}
    arms.append(path, entries[1])
    assert arms.read_done(path, ["x"]) == {("a", 1): entries[0], ("a", 2): entries[1]}
