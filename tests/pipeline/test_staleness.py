"""What reruns when a recipe changes: what the table says, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from mtkd.errors import MtkdError
from mtkd.recipe import GlueRecipe
from tests.pipeline.conftest import VARIANTS, filled
from tests.pipeline.made_up import MadeUp, changed_rooms, found, make_up
from tests.pipeline.staleness import to_be_made
from tests.pipeline.staleness_table import BESIDES, PARTS, RECIPE


def edits_of(key: str) -> list[str]:
    """Return overrides that set a key to the values of its row."""
    part = next((f"{part}." for part in PARTS if key.startswith(f"{part}.")), "")
    concrete = key.replace("{candidate}", "0").replace("{task}", "rte")
    return [f"{part}{v}" if "=" in v else f"{concrete}={v}" for v in RECIPE[key].values]


EDITS = {key: edits_of(key) for key, row in RECIPE.items() if row.values}


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield every key below a model, as the rows of the table are called."""
    for name, field in model.model_fields.items():
        members = _members(field.annotation)
        args = {get_origin(member): get_args(member) for member in members}
        if dict in args:
            name, members = f"{name}.{{task}}", [args[dict][1]]
        elif tuple in args and _models([args[tuple][0]]):
            name, members = f"{name}.{{candidate}}", [args[tuple][0]]
        inner = _models(members)
        yield from keys_of(inner[0], f"{prefix}{name}.") if inner else [f"{prefix}{name}"]


def _members(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return [member for arg in get_args(annotation) for member in _members(arg)]
    return [annotation]


def _models(members: list[Any]) -> list[type[BaseModel]]:
    return [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]


def test_every_key_of_a_recipe_has_its_row_in_the_table() -> None:
    assert sorted(keys_of(GlueRecipe)) == sorted(RECIPE)


@pytest.mark.parametrize("key", EDITS)
def test_a_key_alone_changes_what_its_row_says(
    made_up_runs: dict[str, MadeUp], files: dict[str, str], key: str
) -> None:
    """In one or another of the made-up runs; in none of them anything else."""
    of_a_part = any(key.startswith(f"{part}.") for part in PARTS)  # these two have all its rooms
    changed: set[str] = set()
    for name in ["folds", "unrefined"] if of_a_part else VARIANTS:
        made = made_up_runs[name]
        for edit in filled(EDITS[key], files):
            with contextlib.suppress(MtkdError):  # a key of teachers where there are none
                changed |= changed_rooms(made, made.changed(edit))
    assert changed == RECIPE[key].rooms | BESIDES.get(key, set())


SOME_EDITS = st.lists(
    st.sampled_from(sorted(EDITS)).flatmap(lambda key: st.sampled_from(EDITS[key])), max_size=3
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(sorted(VARIANTS)), earlier=SOME_EDITS, later=SOME_EDITS)
def test_random_edits_rerun_what_the_table_says(
    made_up_runs: dict[str, MadeUp],
    files: dict[str, str],
    tiny_recipe: Path,
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    earlier: list[str],
    later: list[str],
) -> None:
    try:
        before = made_up_runs[name]
        if earlier:
            overrides = filled([*VARIANTS[name], *earlier], files)
            before = make_up(tiny_recipe, overrides, tmp_path_factory.mktemp("runs") / "run")
        after = before.changed(*filled(later, files))
        states = found(after)
    except MtkdError:  # values that do not go together
        reject()
    again = {place for place, status in states.items() if status.state != "done"}
    assert again == to_be_made(before.run, before.units, after, states)
