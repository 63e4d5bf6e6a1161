"""Names in a recipe cannot leave the run directory, nor share a folder on any system."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mtkd.errors import RecipeError
from mtkd.recipe import GlueRecipe, load_recipe
from mtkd.recipe.names import device_on_windows, name_fault, place_fault, twins
from mtkd.recipe.schema import Teachers

BASE = {"name": "x", "tasks": ["rte"], "student": {"encoder": "e"}}

LEAVING = ["..", "../a", "/a", "a/b", "a/", "/", "a\\b", "\\\\server\\a", "C:", "C:a", "c:\\a"]
NOT_PLAIN = ["a\0", "a\nb", "a\tb", "a\x1b[31m", "a\x7f", "a\u202eb", "a\u2066b", "a\u200eb",
             "a\u2028b", "a\ufeff", "a\u00a0b", "a\ud800"]  # fmt: skip
NOT_ON_WINDOWS = ["con", "CON", "aux", "aux.txt", "Aux.b.c", "NUL", "nul .x", "prn", "com1",
                  "COM9.a", "lpt1", "com¹", "conin$", "a.", "a ", "a:b", "a<b", 'a"b', "a|b",
                  "a?", "a*"]  # fmt: skip
OTHERWISE_UNFIT = ["", ".", ".a", " a", " ", "x" * 81, "x" * 300, "é" * 80 + "x" * 80, "日" * 80,
                   "a.json", "a.JSON", "a.zip"]  # fmt: skip
UNFIT = [*LEAVING, *NOT_PLAIN, *NOT_ON_WINDOWS, *OTHERWISE_UNFIT]


def candidates(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "encoder": "e"} for name in names]


def written(tmp_path, name: str) -> str:
    import json

    path = tmp_path / "small.yaml"
    text = json.dumps({**BASE, "name": name})  # JSON is YAML
    path.write_text(text, "utf-8")
    return str(path)


@pytest.mark.parametrize("name", UNFIT, ids=ascii)
def test_a_name_that_is_no_plain_folder_everywhere_is_refused(name, tmp_path):
    with pytest.raises(ValidationError):
        GlueRecipe.model_validate({**BASE, "name": name})
    with pytest.raises(ValidationError):
        Teachers(candidates=candidates(name), tasks=("rte",), select={"keep": 1})
    with pytest.raises(RecipeError) as caught:
        load_recipe(written(tmp_path, name))
    message = str(caught.value)
    assert "name: " in message or "control characters" in message or "not valid YAML" in message
    assert all(line.isprintable() for line in message.splitlines())


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("../a", "name: a name becomes a folder: no leading '.'; found '../a'"),
        ("a:b", "name: a name becomes a folder: no ':'; found 'a:b'"),
        ("aux.txt", "name: a name becomes a folder: 'aux' is a device on Windows; found 'aux.txt'"),
        ("", "name: expected 1 or more characters, found ''"),
    ],
)
def test_the_message_names_the_key_and_says_why(name, line, tmp_path):
    with pytest.raises(RecipeError) as caught:
        load_recipe(written(tmp_path, name))
    assert str(caught.value).splitlines()[1:] == [line]


@pytest.mark.parametrize(
    "name", ["ensemble", "student", "Student", "BASELINE", "student_finetuned", "majority"]
)
def test_mtkds_own_names_are_refused_however_they_are_written(name):
    with pytest.raises(ValidationError, match=f"'{name}' is one of mtkd's own names"):
        Teachers(candidates=candidates(name), tasks=("rte",), select={"keep": 1})


@pytest.mark.parametrize("name", ["folds", "select", "Folds"])
def test_a_candidate_is_not_named_as_a_folder_beside_it(name):
    with pytest.raises(ValidationError, match="predictions/ has a folder of that name"):
        Teachers(candidates=candidates(name), tasks=("rte",), select={"keep": 1})


@pytest.mark.parametrize(
    "name", ["cased-0.1", "my recipe", "Größe", "a.b", "x" * 80, "console", "com", "com10", "auxx",
             "日本語", "v1.0", "a~b", "-rf", "a..b"]
)  # fmt: skip
def test_other_names_are_fine(name):
    assert GlueRecipe.model_validate({**BASE, "name": name}).name == name


@pytest.mark.parametrize(
    ("one", "other"),
    [("A", "a"), ("Größe", "GRÖßE"), ("caf\u00e9", "cafe\u0301"), ("STRASSE", "straße")],
)
def test_candidates_that_would_share_a_folder_are_refused(one, other):
    with pytest.raises(ValidationError, match=f"candidates {one} and {other} would share a folder"):
        Teachers(candidates=candidates(one, other), tasks=("rte",), select={"keep": 2})


def test_the_same_name_twice_is_no_twin():
    assert twins(["a", "b", "a"]) == []
    assert twins(["a", "B", "A", "b"]) == ["a and A", "B and b"]


@given(st.text())
def test_a_name_that_passes_is_one_folder_below_another(name):
    if name_fault(name) is not None:
        return
    assert name not in {"", ".", ".."}
    assert not {"/", "\\", ":", "\0", "\n"} & set(name)
    assert name.isprintable()
    assert len(name.encode()) <= 200
    assert device_on_windows(name) is None
    assert name == name.strip()


# --- places and lines -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "override",
    [
        'student.encoder="a\\nb"',
        'data={source: directory, root: "a\\nb"}',
        f"student.encoder={'x' * 256}",
        f"student.encoder={'a/' * 2500}",
        'tasks=["rte\\nerror: forged"]',
        f"tasks=[{'x' * 300}]",
        'soft_labels.imported.rte="a\\tb"',
        'training.sampling={strategy: main_auxiliary, main: "a\\nb", ratio: 1.0}',
    ],
)
def test_a_place_or_a_tasks_name_is_one_line_of_a_length_that_a_disk_takes(override, tmp_path):
    with pytest.raises(RecipeError) as caught:
        load_recipe(written(tmp_path, "small"), [override])
    first, *rest = str(caught.value).splitlines()
    assert first.endswith("1 fault(s)")
    assert len(rest) == 1
    assert rest[0].startswith(override.split("=")[0])


@pytest.mark.parametrize("path", ["a/b", "/a", "../a", "~/a", "a b", "é" * 127, "C:\\a", "日/本"])
def test_other_places_are_the_users_own_business(path):
    assert place_fault(path) is None
