"""Arms are recipes that load and differ in what their names say; comparisons are between arms."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.evidence.__main__ import wanted
from benchmarks.evidence.arms import (
    ALL,
    ARMS,
    COMPARISONS,
    PLAIN,
    RECIPE,
    SOME,
    TASKS,
    overrides_of,
)
from mtkd.recipe import GlueRecipe, load_recipe

CARDS = {task: Path(f"/parts/{task}.yaml") for task in TASKS}


def _recipe(arm: str) -> GlueRecipe:
    recipe = load_recipe(str(RECIPE), overrides_of(arm, 3, CARDS, 200))
    assert isinstance(recipe, GlueRecipe)
    return recipe


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_is_a_recipe(arm: str) -> None:
    recipe = _recipe(arm)
    assert recipe.seed == 3
    assert not recipe.baseline
    assert (recipe.teachers is None) == arm.removeprefix("tuning: ").startswith(PLAIN)
    assert recipe.training.keep == "last"  # else dev rows choose what they score
    if recipe.teachers is not None:
        assert recipe.teachers.select.keep == len(recipe.teachers.candidates)


def test_plain_and_distilled_differ_by_teachers_alone() -> None:
    plain, distilled = _recipe(PLAIN), _recipe(ALL)
    gone = {"teachers": True, "student": {"distill_weight"}}
    assert plain.model_dump(exclude=gone) == distilled.model_dump(exclude=gone)


def test_some_tasks_have_no_teachers() -> None:
    teachers = _recipe(SOME).teachers
    assert teachers is not None
    assert teachers.tasks == ("rte", "mrpc")


def test_comparisons_are_between_arms_of_their_question() -> None:
    for question, pairs in COMPARISONS.items():
        for (one, _), (other, _) in pairs:
            assert question in ARMS[one].questions
            assert other in ARMS


def test_an_arm_of_two_questions_is_wanted_once_with_the_most_seeds() -> None:
    asked = [*wanted([1, 3], None, None)]
    arms = dict(asked)
    assert len(arms) == len(asked)
    assert arms[ALL] == [1, 2, 3, 4, 5]
    assert arms["soft only"] == [1, 2, 3]
