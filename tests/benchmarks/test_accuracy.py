"""Arms of the accuracy benchmark are recipes that load, compared seed by seed."""

from __future__ import annotations

import pytest

from benchmarks import accuracy
from mtkd.recipe import load_recipe


def test_scores_are_compared_seed_by_seed() -> None:
    scores = {
        "default": {1: {"rte": 0.50, "mrpc": 0.70}, 2: {"rte": 0.60, "mrpc": 0.80}},
        "fp32": {2: {"rte": 0.61, "mrpc": 0.80}, 1: {"rte": 0.51, "mrpc": 0.70}},
    }
    rows = {(row[0], row[1]): row for row in accuracy.compare(scores).rows}
    assert rows["rte", "fp32"][3] == "+1.0 +- 0.0"
    assert rows["mrpc", "fp32"][3] == "+0.0 +- 0.0"


@pytest.mark.parametrize("arm", [a for a in accuracy.ARMS if a != "compiled"])
def test_every_arms_overrides_are_keys_of_the_recipe(arm: str) -> None:
    recipe = load_recipe("glue_small", [*accuracy.SETTINGS, *accuracy.ARMS[arm], "data.root=x"])
    assert recipe.teachers is None
    assert recipe.tasks == accuracy.TASKS
    assert recipe.training.keep == "last"
