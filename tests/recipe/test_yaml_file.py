"""A recipe or card from anyone is refused at little cost, and makes nothing but data."""

import subprocess
import sys
from pathlib import Path

import pytest

from mtkd.errors import CardError, RecipeError
from mtkd.recipe import load_recipe
from mtkd.recipe.yaml_file import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_SIZE,
    MAX_TEXT,
    YamlFault,
    parse_value,
    parse_yaml,
)
from mtkd.task import load_task

RECIPE = "name: small\ntasks: [rte]\nstudent: {encoder: some/encoder}\n"


def billion_laughs() -> str:
    """Nine levels of ten aliases: a thousand million values out of 400 characters."""
    lines = ["a0: &a0 lol"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    return "\n".join(lines)


def merged_mappings() -> str:
    """The same by merge keys, which copy what they are given."""
    lines = ["a0: &a0 {x: 1, y: 2}"]
    lines += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}], z{i}: 1}}"
              for i in range(1, 10)]  # fmt: skip
    return "\n".join(lines)


BOMBS = {
    "aliases of aliases": billion_laughs(),
    "merge keys": merged_mappings(),
    "one long text, many aliases": f"a: &a {'x' * 9_000}\nb: [{', '.join(['*a'] * 50_000)}]",
    "lists in lists": "a: " + "[" * 100_000,
    "keys in keys": "a: " + "{a: " * 100_000,
    "closed lists in lists": f"a: {'[' * 50_000}{']' * 50_000}",
    "lists by dashes": "a:\n" + "- " * 100_000 + "x",
    "keys by question marks": "? " * 100_000 + "x",
    "a long list": "a: [" + "1, " * 300_000 + "1]",
    "many keys": "\n".join(f"k{i}: 1" for i in range(90_000)),
    "an integer of 900,000 digits": "seed: " + "9" * 900_000,
    "an integer to the base of 60": "seed: " + "1" + ":59" * 300_000,
    "a number of 5,000 digits": "seed: " + "9" * 5_000,
    "a hexadecimal number of 9,000 digits": "seed: 0x" + "f" * 9_000,
    "a long text": "description: " + "x" * 900_000,
    "a long key": "x" * 900_000 + ": 1",
    "many comments": "# x\n" * 250_000 + "[",
    "many anchors": "a: [" + ", ".join(f"&b{i} x" for i in range(60_000)) + "]",
    "references doubled": "\n".join(
        ["a0: lol", *(f"a{i}: ${{a{i - 1}}}${{a{i - 1}}}" for i in range(1, 41))]
    ),
    "references to lists": "\n".join(
        ["a0: [x]", *(f"a{i}: [{', '.join([f'${{a{i - 1}}}'] * 9)}]" for i in range(1, 12))]
    ),
    "a chain of references": "\n".join(
        ["a0: x", *(f"a{i}: ${{a{i - 1}}}" for i in range(1, 2_000))]
    ),
    "references in references": "a: " + "${" * 4_000 + "a" + "}" * 4_000,
    "a file that is too large": "#" * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_an_error_for_recipes_and_cards(name, tmp_path):
    path = tmp_path / "bomb.yaml"
    path.write_text(BOMBS[name], "utf-8")
    with pytest.raises(RecipeError) as caught:
        load_recipe(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 2_000
    with pytest.raises(CardError):
        load_task(path)


def test_bombs_end_within_little_time_and_memory(tmp_path):
    """All of them together, in a process of its own: 60 MB and 10 s each, on one slow core."""
    with (tmp_path / "100-megabytes.yaml").open("wb") as file:
        file.truncate(100 * 2**20)
    for number, text in enumerate(BOMBS.values()):
        (tmp_path / f"{number}.yaml").write_text(text, "utf-8")
    code = """
import resource, sys, time
from pathlib import Path
from mtkd.errors import RecipeError
from mtkd.recipe import load_recipe
load_recipe("quickstart")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sorted(Path(sys.argv[1]).iterdir()):
    started = time.process_time()
    try:
        load_recipe(str(path))
    except RecipeError:
        pass
    seconds = time.process_time() - started
    assert seconds < 10, (path, seconds)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 60 * 2**20


@pytest.mark.parametrize("value", ["[" * 100_000, "{a: " * 5_000, "&a [*a]", "[&a [x], *a, *b]",
                                   "!!python/object/apply:os.system [true]", "x" * 20_000,
                                   "9" * 5_000, '"\\x1b[31m"', "${oc.env:HOME}"])  # fmt: skip
def test_a_bomb_in_an_override_is_an_error(value, tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE, "utf-8")
    with pytest.raises(RecipeError) as caught:
        load_recipe(str(path), [f"seed={value}"])
    assert "seed: " in str(caught.value)
    assert len(str(caught.value)) < 1_000
    assert "\x1b" not in str(caught.value)


def test_an_override_of_too_many_parts_is_an_error(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE, "utf-8")
    with pytest.raises(RecipeError, match="deep"):
        load_recipe(str(path), [f"{'a.' * 50}a=1"])


@pytest.mark.parametrize("key", ["a" * 10_000, f"teachers.candidates.{'9' * 5_000}.name"])
def test_an_overrides_key_that_is_no_key_is_quoted_in_short(tmp_path, key):
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE, "utf-8")
    with pytest.raises(RecipeError, match="expected key=value") as caught:
        load_recipe(str(path), [f"{key}=1"])
    assert max(map(len, str(caught.value).splitlines())) < 1000


# --- tags -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system ['touch {made}']",
        "a: !!python/object/apply:builtins.open ['{made}', 'w']",
        "a: !!python/object/new:os.system ['touch {made}']",
        "a: !!python/object/apply:pathlib.Path [x]",  # OmegaConf makes one
        "a: !!python/name:os.system",
        "!!python/object/apply:os.system ['touch {made}']",
        "? !!python/object/apply:os.system ['touch {made}']\n: 1",
        "a: !!binary aGk=",
        "a: !!set {{x}}",
        "a: !!timestamp 2024-99-99",
        "a: !own x",
        "a: ! x",
    ],
)
def test_tags_are_refused_before_anything_is_made(text, tmp_path):
    made, path = tmp_path / "made", tmp_path / "tagged.yaml"
    path.write_text(text.format(made=made), "utf-8")
    with pytest.raises(RecipeError, match="line 1: tags are not read here"):
        load_recipe(str(path))
    with pytest.raises(CardError, match="line 1: tags are not read here"):
        load_task(path)
    assert not made.exists()


# --- what is no recipe ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "line 1: expected keys and values, found a list"),
        ("# x\n5", "line 2: expected keys and values, found a single value"),
        ('"a: 1"', "line 1: expected keys and values, found a single value"),
        ("&a [*a]", "line 1: expected keys"),
        ("a: &a [*a]", r"line 1: \*a stands for nothing that is whole"),
        ("a: *b", r"line 1: \*b stands for nothing"),
        ("[a]: 1", "expected keys and values|expected a key"),
        ("a: 1\n? [b]\n: 1", "line 2: expected a key, found a list"),
        ("a: 1\na: 2", "duplicate key"),
        ("a: 1\n---\nb: 2", "expected a single document"),
        ('a: "\\x1b[31m"', "line 1: control characters stand in"),
        ('a: "\\0"', "line 1: control characters"),
        ('a: "\\ud800"', "invalid Unicode character"),
        ('"a\\nb": 1', "line 1: control characters"),
        ('a: "\\u202e"', "line 1: control characters"),
    ],
)
def test_what_is_no_recipe_is_refused_with_its_line(text, message):
    with pytest.raises(YamlFault, match=message):
        parse_yaml(text)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"a: \x00", b"\x1b[31m", b"\x80", b"a: \xed\xa0\x80"]
)
def test_bytes_that_are_no_text_are_refused(content, tmp_path):
    path = tmp_path / "bytes.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError):
        load_recipe(str(path))
    with pytest.raises(CardError):
        load_task(path)


# --- what is one ----------------------------------------------------------------------------------


def test_aliases_and_merge_keys_within_bounds_are_read():
    text = "a: &a {x: 5e-5, y: [1, on]}\nb: {<<: *a, x: 2}\nc: *a\n"
    assert parse_yaml(text) == {
        "a": {"x": 5e-5, "y": [1, True]},
        "b": {"x": 2, "y": [1, True]},
        "c": {"x": 5e-5, "y": [1, True]},
    }


def test_what_just_fits_is_read():
    nested = "a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert parse_yaml(nested)
    with pytest.raises(YamlFault, match="in one another"):
        parse_yaml(nested.replace("[]", "[[]]"))
    assert parse_yaml("a: " + "x" * MAX_TEXT)
    with pytest.raises(YamlFault, match="at most 10,000 characters"):
        parse_yaml("a: " + "x" * (MAX_TEXT + 1))
    values = MAX_SIZE // 101 - 3
    assert len(parse_yaml(f"a: [{'x, ' * values}]")["a"]) == values
    with pytest.raises(YamlFault, match="too much for a recipe"):
        parse_yaml(f"a: [{'x, ' * (values + 9)}]")


def test_a_file_that_just_fits_is_read(tmp_path):
    path = tmp_path / "large.yaml"
    path.write_text(RECIPE + "#" * (MAX_BYTES - len(RECIPE)), "utf-8")
    assert load_recipe(str(path)).name == "small"
    path.write_text(RECIPE + "#" * (MAX_BYTES - len(RECIPE) + 1), "utf-8")
    with pytest.raises(RecipeError, match="expected at most 1,048,576 bytes"):
        load_recipe(str(path))


def test_a_description_may_have_lines_and_letters_of_any_script():
    text = "description: |\n  Größe, 日本語, עברית, فارسی\n  and a\ttab 👩‍🔬\n"
    assert parse_yaml(text)["description"].count("\n") == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [("5e-5", 5e-5), ("", None), ("[a, b]", ["a", "b"]), ("{a: 1}", {"a": 1}), ("'5'", "5"),
     ("a=b", "a=b"), ("/a b/c:d", "/a b/c:d"), ("${a.b}", "${a.b}")],
)  # fmt: skip
def test_an_overrides_value_is_yaml(text, value):
    assert parse_value(text) == value


@pytest.mark.parametrize("source", ["x" * 300, "a/" * 3_000, "\0"])
def test_a_name_that_no_file_can_have_is_an_error(source):
    with pytest.raises(RecipeError):
        load_recipe(source)
    with pytest.raises(CardError):
        load_task(source)


def test_a_folder_that_may_not_be_looked_into_is_an_error(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    try:
        if not _is_closed(closed):
            pytest.skip("this user may look anywhere")
        with pytest.raises(RecipeError, match="cannot be looked for: Permission denied"):
            load_recipe(str(closed / "recipe.yaml"))
        with pytest.raises(CardError, match="cannot be looked for: Permission denied"):
            load_task(closed / "card.yaml")
    finally:
        closed.chmod(0o700)


def _is_closed(folder: Path) -> bool:
    try:
        (folder / "x").stat()
    except PermissionError:
        return True
    except FileNotFoundError:
        return False
    return False
