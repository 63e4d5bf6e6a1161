"""`training.save_every`: a number, a blank, a unit; nothing else."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtkd.errors import RecipeError
from mtkd.recipe import RUN_RECIPE, TrainingSettings, load_recipe, save_recipe
from mtkd.recipe.save_every import SaveInterval, parse_save_every


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("200 steps", SaveInterval(steps=200)),
        ("1 step", SaveInterval(steps=1)),
        ("1 steps", SaveInterval(steps=1)),
        ("5 minutes", SaveInterval(minutes=5.0)),
        ("1 minute", SaveInterval(minutes=1.0)),
        ("0.5 minutes", SaveInterval(minutes=0.5)),
        ("0 minutes", SaveInterval(minutes=0.0)),
    ],
)
def test_an_interval_is_a_number_of_steps_or_of_minutes(text: str, interval: SaveInterval) -> None:
    assert parse_save_every(text) == interval
    assert TrainingSettings(save_every=text).save_interval == interval


def test_five_minutes_lie_between_saves_unless_the_recipe_says_otherwise() -> None:
    assert TrainingSettings().save_interval == SaveInterval(minutes=5.0)


@pytest.mark.parametrize(
    "text",
    ["", "steps", "5", "0 steps", "-1 steps", "1.5 steps", "1e3 steps", "5  minutes", "5minutes",
     " 5 minutes", "5 minutes\n", "5 hours", "5 Minutes", "-1 minutes", "nan minutes",
     "inf minutes", ".5 minutes", "5. minutes", "\u0665 steps", "5 steps 5 steps",
     "9" * 5000 + " steps",
     None, True, 5, 5.0, ["5 minutes"], {"steps": 5}],
)  # fmt: skip
def test_anything_else_is_refused_saying_what_is_expected(text: object) -> None:
    with pytest.raises(ValueError, match=r'such as "200 steps", "5 minutes" or ') as e:
        parse_save_every(text)
    assert len(str(e.value)) < 250
    assert str(e.value).isprintable()


@given(st.text())
def test_any_text_is_an_interval_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        found = parse_save_every(text)
        assert (found.steps is None) != (found.minutes is None)


@pytest.mark.parametrize("value", ["5", "200 step s", "true", "null", "[1 step]"])
def test_a_recipe_that_says_something_else_names_the_key(value: str) -> None:
    with pytest.raises(RecipeError, match=r'training\.save_every: expected a number.*"200 steps"'):
        load_recipe("quickstart", [f"training.save_every={value}"])


def test_a_saved_recipe_keeps_the_users_words(tmp_path: Path) -> None:
    recipe = load_recipe("quickstart", ["training.save_every=0.50 minutes"])
    save_recipe(recipe, tmp_path)
    assert "save_every: 0.50 minutes" in (tmp_path / RUN_RECIPE).read_text("utf-8")
    assert load_recipe(str(tmp_path)) == recipe
