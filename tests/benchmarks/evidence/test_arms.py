"""Arms are recipes that differ in what their names say and in nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.evidence.__main__ import models_of, planned
from benchmarks.evidence.arms import (
    ALL,
    ARMS,
    COMPARISONS,
    PLAIN,
    PRIMARY_SEEDS,
    RECIPE,
    SOME,
    TASKS,
    chosen_tasks,
    overrides_of,
    tasks_of,
)
from mtkd.recipe import GlueRecipe, load_recipe


def _recipe(arm: str, tasks: tuple[str, ...] = TASKS) -> GlueRecipe:
    own = tasks_of(arm, tasks)
    chosen = [f"tasks=[{','.join(own)}]", *overrides_of(arm, own, 1000, "2e-4")]
    recipe = load_recipe(str(RECIPE), chosen)
    assert isinstance(recipe, GlueRecipe)
    return recipe


def _flat(content: Any, before: str = "") -> dict[str, Any]:
    if not isinstance(content, dict):
        return {before: content}
    found: dict[str, Any] = {}
    for key, value in content.items():
        found |= _flat(value, f"{before}.{key}" if before else key)
    return found


def _teachers(*candidates: tuple[str, float, int | None]) -> dict[str, Any]:
    encoder = "bundled:all-MiniLM-L6-v2"
    listed = [{"encoder": encoder, "dropout": d, "layers": n, "name": name}
              for name, d, n in candidates]  # fmt: skip
    keep = {} if len(listed) == 3 else {"teachers.select.keep": len(listed)}
    return {"teachers.candidates": listed, **keep}


_SEEDS = [("dropout-0.1", 0.1, None), *((f"seed-{n}", 0.1, None) for n in range(2, 7))]
DIFFER: dict[str, dict[str, Any]] = {
    SOME: {"teachers.tasks": ["rte", "mrpc"]},
    ALL: {},
    "soft only": {"student.distill_weight": 1.0},
    "annealed": {"student.distill_weight": None, "student.anneal": True},
    "1 teacher": _teachers(*_SEEDS[:1]),
    "2 teachers of one kind": _teachers(*_SEEDS[:2]),
    "3 teachers of one kind": _teachers(*_SEEDS[:3]),
    "6 teachers of one kind": _teachers(*_SEEDS),
    "3 teachers of other depths": _teachers(_SEEDS[0], ("five", 0.1, 5), ("four", 0.1, 4)),
    "refined": {"teachers.refine": True},
    "fine-tuned": {"student.finetune": True},
    "temperature 2": {"soft_labels.temperature": 2.0},
    "temperature 4": {"soft_labels.temperature": 4.0},
    "out of fold": {"soft_labels.folds": 5},
    "half depth": {"student.layers": 3},
    "100 rows": {"data.max_rows.train": 100},
    "500 rows": {"data.max_rows.train": 500},
}


@pytest.mark.parametrize("arm", DIFFER)
def test_a_distilled_arm_differs_from_all_teachers_in_what_it_says(arm: str) -> None:
    whole, own = (_flat(_recipe(name).model_dump(mode="json")) for name in (ALL, arm))
    assert {k: own.get(k) for k in {*whole, *own} if whole.get(k) != own.get(k)} == DIFFER[arm]


def test_unlabelled_text_is_asked_for() -> None:
    assert _recipe("unlabelled text").soft_labels.unlabelled is not None
    assert _recipe(ALL).soft_labels.unlabelled is None


@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm.startswith(PLAIN)])
def test_a_plain_arm_is_its_distilled_one_without_teachers(arm: str) -> None:
    distilled = arm.removeprefix(f"{PLAIN}, ") if arm != PLAIN else ALL
    gone = {"teachers": True, "student": {"distill_weight"}}
    assert _recipe(arm).teachers is None
    assert _recipe(arm).model_dump(exclude=gone) == _recipe(distilled).model_dump(exclude=gone)


def test_every_arm_is_looked_at_here() -> None:
    plain = {arm for arm in ARMS if arm.startswith(PLAIN)}
    assert {*DIFFER, *plain, "unlabelled text"} == {*ARMS}


@pytest.mark.parametrize("arm", ARMS)
def test_updates_are_as_many_for_all_and_no_dev_row_chooses(arm: str) -> None:
    recipe = _recipe(arm)
    assert recipe.training.keep == "last"
    assert recipe.student.training.max_steps == 768
    if recipe.teachers is not None:
        assert recipe.teachers.select.keep == len(recipe.teachers.candidates)
        assert recipe.teachers.finetune_training.max_steps == 192


def test_comparisons_are_of_models_that_their_arms_have() -> None:
    for question, comparisons in COMPARISONS.items():
        for comparison in comparisons:
            for arm, model in comparison.sides:
                assert question in ARMS[arm].questions, (question, arm)
                assert model in models_of(_recipe(arm)), (arm, model)


def test_tasks_of_comparisons_and_arms() -> None:
    eight = ("rte", "mrpc", "stsb", "cola", "sst2", "qnli", "qqp", "mnli")
    assert chosen_tasks("untaught", eight) == ["stsb", "cola", "sst2"]
    assert chosen_tasks("taught", TASKS) == ["rte", "mrpc"]
    assert tasks_of("100 rows", eight) == ["rte", "mrpc", "stsb", "cola", "sst2"]
    assert tasks_of(ALL, eight) == [*eight]


def test_the_primary_arms_come_first_seed_by_seed() -> None:
    order = [*planned([1, 2, 3], None, None)]
    primary = [(seed, arm) for seed in PRIMARY_SEEDS for arm in (PLAIN, SOME)]
    assert order[: len(primary)] == primary
    others = order[len(primary) :]
    assert [seed for seed, _ in others] == sorted(seed for seed, _ in others)
    assert {seed for seed, _ in others} == {1, 2, 3}
    assert len({*order}) == len(order)
