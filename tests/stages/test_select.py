"""Greedy selection: the teachers that help each other most, not those best alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from mtkd.errors import RunDirError
from mtkd.stages import Run, select
from tests.carry_out import carried_out


def test_a_candidate_that_adds_something_is_preferred_to_a_better_copy(
    folds_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three candidates: a and its near-copy b are right where c is wrong, and the reverse."""
    teachers = folds_run.recipe.teachers
    assert teachers is not None
    gold = np.arange(24) % 2
    right = np.where(gold[:, None] == np.arange(2), 1.0, -1.0).astype(np.float32)
    a, b, c = right.copy(), right.copy(), right.copy()
    a[:8] *= -1  # wrong and unsure
    a[:8] *= 0.2
    b[:9] *= -0.2
    c[12:] *= -0.2
    logits = {"a": a, "b": b, "c": c}
    monkeypatch.setattr(select, "_dev_logits", lambda _, name, task: {"dev": logits[name]})
    changed = teachers.model_copy(
        update={"select": teachers.select.model_copy(update={"by": ("rte",), "keep": 2})}
    )
    steps = select._greedy(folds_run, changed, ["a", "b", "c"])
    assert [step["added"] for step in steps] == ["a", "c"]
    assert steps[1]["mean"] == 1.0


def test_a_run_with_greedy_selection_writes_down_its_steps(
    folds_recipe: Path, tmp_path: Path
) -> None:
    run = carried_out(
        folds_recipe, tmp_path / "run", "soft_labels={}",
        "teachers.select={keep: 1, by: [rte], method: greedy}", last="select",
    )  # fmt: skip
    content = json.loads((run.folder / "selection.json").read_text())
    assert [step["added"] for step in content["steps"]] == content["kept"]
    best = max(content["candidates"], key=lambda candidate: candidate["mean"])
    assert content["kept"] == [best["name"]]
    assert content["steps"][0]["mean"] == pytest.approx(best["mean"])


def test_predictions_of_rows_in_another_order_are_not_scored(
    folds_recipe: Path, tmp_path: Path
) -> None:
    run = carried_out(
        folds_recipe, tmp_path / "run", "soft_labels={}",
        "teachers.select={keep: 1, by: [rte], method: greedy}", last="select",
    )  # fmt: skip
    path = run.folder / "predictions/select/cased/rte/dev.parquet"
    table = pq.read_table(path)
    pq.write_table(table.take(list(range(len(table)))[::-1]), path)
    with pytest.raises(RunDirError, match="other rows"):
        select._greedy(run, select._teachers(run), ["uncased", "cased"])
