"""Arms of the ablation are recipes that load, compared seed by seed with the whole."""

from __future__ import annotations

import pytest

from benchmarks import ablation
from mtkd.recipe import load_recipe


@pytest.mark.parametrize("arm", [*ablation.ARMS])
def test_every_arms_overrides_are_keys_of_the_recipe(arm: str) -> None:
    own, _ = ablation.ARMS[arm]
    recipe = load_recipe("distilbert_tiny", own)
    assert (recipe.student.start == "random") == arm.startswith("random")
    left_out = {"soft_mlm", "mlm", "cosine"} - set(recipe.losses.weighted())
    assert left_out == ({arm.removeprefix("without ")} if arm.startswith("without") else set())


def test_the_tasks_are_trained_without_teachers() -> None:
    recipe = load_recipe("glue_small", [*ablation.TASK_SETTINGS, "data.root=x"])
    assert recipe.tasks == ablation.TASKS
    assert recipe.teachers is None


def test_means_over_tasks_are_compared_seed_by_seed() -> None:
    def scores(by: float) -> dict[str, float]:
        return dict.fromkeys(ablation.TASKS, by)

    table = ablation.compare({
        ablation.WHOLE: {1: scores(0.5), 2: scores(0.7)},
        "without mlm": {1: scores(0.49), 2: scores(0.69)},
    })  # fmt: skip
    assert table.rows[1][-1] == "-1.0 +- 0.0"
    assert table.rows[0][-2] == "60.0 +- 14.1"
