import contextlib
import os

import pytest

from mtkd.errors import RecipeError
from mtkd.recipe import load_recipe, save_recipe
from mtkd.recipe.references import ReferenceFault, reference_fault, resolve

RECIPE = """\
name: small
tasks: [rte]
student: {encoder: some/encoder}
training: {epochs: 2}
"""


def written(tmp_path, more: str = "") -> str:
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE + more, "utf-8")
    return str(path)


def test_a_reference_takes_the_others_value_and_kind():
    tree = {"a": "${b.c}", "b": {"c": 5, "d": [True, None]}, "e": "${b}", "f": "${b.d.1}"}
    assert resolve(tree) == {
        "a": 5,
        "b": {"c": 5, "d": [True, None]},
        "e": {"c": 5, "d": [True, None]},
        "f": None,
    }


def test_within_a_text_a_value_is_written_as_in_yaml():
    tree = {"a": "x", "b": 5, "c": True, "d": None, "e": "<${a}-${b}-${c}-${d}>"}
    assert resolve(tree)["e"] == "<x-5-true-null>"


def test_references_may_lead_on():
    assert resolve({"a": "${b.x}", "b": "${c}", "c": {"x": "${d}"}, "d": 1})["a"] == 1


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a": "${a}"}, "a: the references lead in a circle: a -> a"),
        ({"a": "${b}", "b": "x${a}"}, "a: the references lead in a circle: b -> a -> b"),
        ({"a": {"b": "${a}"}}, r"a.b.b: the references lead in a circle: a -> a"),
        ({"a": "${a.b}"}, "circle: a.b -> a.b"),
        ({"a": ["${a}"]}, "a.0.0: the references lead in a circle"),
        ({"a": "${b}"}, r"a: \$\{b\}: there is no key b"),
        ({"a": "${b.1}", "b": [1]}, r"a: \$\{b.1\}: there is no key b.1"),
        ({"a": "${b.c}", "b": 1}, "there is no key b.c"),
        ({"a": "x${b}", "b": [1]}, r"a: \$\{b\} is more than one value"),
        ({"a": "${b}${c}", "b": "$", "c": "{d}"}, r"a: '\$\{' is left: '\$\{d\}'"),
    ],
)
def test_a_reference_that_leads_nowhere_or_in_a_circle_is_named_with_its_key(tree, message):
    with pytest.raises(ReferenceFault, match=message):
        resolve(tree)


@pytest.mark.parametrize(
    "text",
    ["${oc.env:HOME}", "${oc.decode:x}", "${oc.create:{}}", "${env:HOME}", "${x:}", "${}", "${",
     "${a.${b}}", "${.a}", "${..a}", "${a[0]}", "${a-b}", r"\${a}", "${ a }", "${a.}", "$${"],
)  # fmt: skip
def test_nothing_but_another_key_is_a_reference(text, tmp_path):
    assert reference_fault(text) is not None
    with pytest.raises(RecipeError, match="neither the environment nor functions are read"):
        load_recipe(written(tmp_path, f"description: '{text}'\n"))
    with pytest.raises(RecipeError, match="neither the environment nor functions are read"):
        load_recipe(written(tmp_path), [f"description='{text}'"])


@pytest.mark.parametrize("text", ["$", "$5", "a$", "{a}", "$ {a}", "x ${a.b} y ${c}"])
def test_a_dollar_alone_is_text(text):
    assert reference_fault(text) is None


def test_no_value_of_the_environment_gets_into_a_run_directory(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "SECRET_TOKEN", "hunter2")
    for text in ("${oc.env:SECRET_TOKEN}", "${oc.decode:${oc.env:SECRET_TOKEN}}", "$SECRET_TOKEN"):
        with contextlib.suppress(RecipeError):
            save_recipe(load_recipe(written(tmp_path), [f"description={text}"]), tmp_path / "run")
    assert "$SECRET_TOKEN" in (tmp_path / "run" / "recipe.yaml").read_text("utf-8")
    assert "hunter2" not in (tmp_path / "run" / "recipe.yaml").read_text("utf-8")


def test_a_resolver_that_a_program_has_registered_is_not_called(tmp_path):
    from omegaconf import OmegaConf

    OmegaConf.register_resolver("mtkd_test", lambda: pytest.fail("called"))
    try:
        with pytest.raises(RecipeError):
            load_recipe(written(tmp_path, "description: ${mtkd_test:}\n"))
    finally:
        OmegaConf.clear_resolver("mtkd_test")


def test_references_work_in_recipes_and_overrides_and_are_written_out_when_saved(tmp_path):
    source = written(tmp_path, "teachers:\n  candidates: [{name: a, encoder: '${student.encoder}'}]"
                     "\n  select: {keep: 1}\n  tasks: ${tasks}\n")  # fmt: skip
    recipe = load_recipe(source, ["student.training.epochs=${training.epochs}"])
    assert recipe.teachers is not None
    assert recipe.teachers.candidates[0].encoder == "some/encoder"
    assert recipe.teachers.tasks == ("rte",)
    assert recipe.student.training.epochs == 2
    save_recipe(recipe, tmp_path / "run")
    assert "${" not in (tmp_path / "run" / "recipe.yaml").read_text("utf-8")
    assert load_recipe(str(tmp_path / "run")) == recipe


def test_an_override_is_seen_by_what_refers_to_it(tmp_path):
    source = written(tmp_path, "description: of ${student.encoder}\n")
    assert load_recipe(source, ["student.encoder=another"]).description == "of another"


def test_a_fault_of_a_reference_comes_with_those_of_overrides(tmp_path):
    with pytest.raises(RecipeError, match=r"2 fault\(s\)\nseed: expected key=value\nname: "):
        load_recipe(written(tmp_path), ["seed", "name=${nothing}"])
