from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, Field, ValidationError, model_validator

from mtkd.recipe.faults import format_faults
from mtkd.recipe.fields import Settings
from mtkd.recipe.schema import DataSettings, GlueRecipe, Teachers


def _short(name: str) -> str:
    if len(name) > 8:
        raise ValueError("at most 8 characters")
    return name


class Leaf(Settings):
    colour: Literal["red", "green"] = "red"
    sizes: tuple[float, float] | None = None


class Tree(Settings):
    name: Annotated[str, Field(min_length=1), AfterValidator(_short)] = "oak"
    leaf: Leaf | None = None
    leaves: tuple[Leaf, ...] = ()
    by_name: dict[str, Leaf] = Field(default_factory=dict)
    columns: dict[str, str | int] = Field(default_factory=dict)
    weights: dict[str, Annotated[float, Field(ge=0)]] | None = None
    rings: int = 1

    @model_validator(mode="after")
    def _old_enough(self) -> "Tree":
        if self.rings == 13:
            raise ValueError("13 rings are bad luck")
        return self


def faults(model: type[Settings], **given: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(given)
    return format_faults(caught.value, model)


def test_an_unknown_key_is_compared_with_the_keys_of_its_own_place():
    base = {"name": "x", "tasks": ["rte"], "student": {"encoder": "e"}}
    assert faults(GlueRecipe, **base, soft_labels={"temperatur": 2}) == [
        "soft_labels.temperatur: unknown key; did you mean 'temperature'?"
    ]
    # `keep` and `encoder` are known elsewhere, not here
    assert faults(GlueRecipe, **base, data={"encoder": "e"}) == [
        "data.encoder: unknown key; the keys here are source, root, max_rows, max_length"
    ]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"leaf": {"color": "red"}}, "leaf.color"),
        ({"leaves": [{}, {"color": "red"}]}, "leaves.1.color"),
        ({"by_name": {"a": {"color": "red"}}}, "by_name.a.color"),
    ],
)
def test_the_model_is_reached_through_optional_tuple_and_dict(given, path):
    assert faults(Tree, **given) == [f"{path}: unknown key; did you mean 'colour'?"]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"rings": "x"}, "rings: expected an integer, found 'x'"),
        ({"rings": 1.5}, "rings: expected an integer, found 1.5"),
        ({"rings": None}, "rings: expected an integer, found null"),
        ({"name": True}, "name: expected text, found true; put it in quotes"),
        ({"name": ""}, "name: expected 1 or more characters, found ''"),
        ({"name": "quercus robur"}, "name: at most 8 characters"),
        ({"weights": {"a": -1}}, "weights.a: expected at least 0, found -1"),
        ({"weights": {"a": float("nan")}}, "weights.a: expected a finite number, found nan"),
        ({"weights": {1: 2.0}}, "weights.1: expected text, found 1; put it in quotes"),
        ({"leaf": {"sizes": [1]}}, "leaf.sizes.1: required, but missing"),
        ({"leaf": {"sizes": 1}}, "leaf.sizes: expected a list, found 1"),
        ({"leaf": 1}, "leaf: expected keys with values (colour, sizes), found 1"),
        ({"by_name": []}, "by_name: expected keys with values, found []"),
        (
            {"leaf": {"colour": "gren"}},
            "leaf.colour: expected 'red' or 'green', found 'gren'; did you mean 'green'?",
        ),
    ],
)
def test_a_wrong_value_says_what_was_expected_and_what_was_found(given, line):
    assert faults(Tree, **given) == [line]


def test_a_value_that_fits_no_member_of_a_union_is_one_fault_without_the_members_names():
    assert faults(Tree, columns={"text": []}) == [
        "columns.text: expected text or an integer, found []"
    ]


def test_a_fault_between_keys_stands_at_their_model():
    assert faults(Tree, rings=13) == ["13 rings are bad luck"]
    assert faults(Teachers, candidates=[], tasks=["rte"]) == [
        "candidates: expected 1 or more entries, found []"
    ]
    base = {"name": "x", "tasks": ["rte"], "student": {"encoder": "e"}}
    line = "data: root is read only with source=directory, not source=hub"
    assert faults(GlueRecipe, **base, data={"source": "hub", "root": "r"}) == [line]
    assert faults(DataSettings, source="hub", root="r") == [line.removeprefix("data: ")]


def test_an_entry_that_is_wrong_is_not_said_to_be_missing_too():
    lines = faults(GlueRecipe, name="a", tasks=["x" * 300], student={"encoder": "e"})
    assert len(lines) == 1
    assert lines[0].startswith("tasks.0: ")


def test_all_faults_come_together():
    lines = faults(GlueRecipe, name="a/b", task=["rte"], student={}, training={"epochs": "x"})
    assert lines == [
        "name: a name becomes a folder: no '/'; found 'a/b'",
        "tasks: required, but missing",
        "student: name what the student starts from: encoder, or init for one that is made by a "
        "compress recipe, and not both",
        "training.epochs: expected an integer, found 'x'",
        "task: unknown key; did you mean 'tasks'?",
    ]


def test_a_long_value_is_cut():
    (line,) = faults(Tree, rings="x" * 500)
    assert len(line) < 130
    assert line.endswith("...")
