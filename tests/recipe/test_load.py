import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mtkd.errors import RecipeError
from mtkd.recipe import GlueRecipe, SoftLabels, load_recipe, recipe_names, save_recipe
from mtkd.task import plan_tasks

RECIPE = """\
# a recipe like the quickstart
name: small
tasks: [rte, mrpc]
data: {source: sample, max_length: 64}
teachers:
  candidates:
    - {name: one, encoder: some/encoder, dropout: 0.1}
    - {name: two, encoder: some/encoder, dropout: 0.2}
  select: {keep: 2}
  tasks: [rte]
student:
  encoder: some/encoder
training:
  learning_rate: 4.0e-4
  epochs: 2
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE, "utf-8")
    return str(path)


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "other.yaml"
    path.write_text(text, "utf-8")
    return str(path)


def faults(source: str, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load_recipe(source, overrides)
    first, *lines = str(caught.value).splitlines()
    assert first == f"{source}: {len(lines)} fault(s)"
    return lines


# --- overrides ------------------------------------------------------------------------------------


def test_overrides_replace_what_the_recipe_says(recipe):
    loaded = load_recipe(recipe, ["training.epochs=7", "tasks=[cola]", "student.dropout=0.3"])
    assert loaded.training.epochs == 7
    assert loaded.training.learning_rate == 4e-4  # beside it, untouched
    assert loaded.tasks == ("cola",)
    assert loaded.student.dropout == 0.3


def test_the_last_of_two_overrides_wins(recipe):
    assert load_recipe(recipe, ["seed=2", "seed=3"]).seed == 3


def test_every_fault_is_reported_at_once_with_what_was_meant(recipe):
    assert faults(recipe, "soft_labels.temprature=2", "trainig.epochs=x", "seed") == [
        "seed: expected key=value",
        "soft_labels.temprature: unknown key; did you mean 'temperature'?",
        "trainig: unknown key; did you mean 'training'?",
    ]


def test_a_list_is_overridden_by_position(recipe):
    loaded = load_recipe(recipe, ["teachers.candidates.1.dropout=0.5", "tasks.0=cola"])
    assert [c.dropout for c in loaded.teachers.candidates] == [0.1, 0.5]
    assert loaded.tasks == ("cola", "mrpc")


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("teachers.candidates.2.dropout=0", "teachers.candidates.2: no such position; the list "
         "has 2 (0 to 1)"),
        ("teachers.candidates.two.dropout=0", "teachers.candidates.two: no such position; the "
         "list has 2 (0 to 1)"),
        ("teachers.candidates.-1.dropout=0", "teachers.candidates.-1: no such position; the list "
         "has 2 (0 to 1)"),
        ("teachers.candidates.².dropout=0", "teachers.candidates.²: no such position; the list "
         "has 2 (0 to 1)"),
        ("tasks.2=cola", "tasks.2: no such position; the list has 2 (0 to 1)"),
    ],
)  # fmt: skip
def test_a_position_that_is_not_there_is_named(recipe, override, fault):
    assert faults(recipe, override) == [fault]


def test_an_empty_list_has_no_positions(tmp_path):
    source = written(tmp_path, RECIPE.replace("[rte, mrpc]", "[]"))
    assert faults(source, "tasks.0=rte")[0] == "tasks.0: no such position; the list has 0"


@pytest.mark.parametrize("text", ["seed", "=3", "training.=3", ".seed=3", "training..epochs=3"])
def test_what_is_no_key_and_value_is_refused(recipe, text):
    assert faults(recipe, text) == [f"{text}: expected key=value"]


@pytest.mark.parametrize(
    ("override", "where"),
    [("name.first=a", "name.first"), ("training.epochs.a.b=1", "training.epochs.a")],
)
def test_nothing_is_set_below_a_single_value(recipe, override, where):
    assert faults(recipe, override) == [f"{where}: nothing can be set below a single value"]


def test_a_null_on_the_way_becomes_keys(tmp_path):
    source = written(tmp_path, RECIPE.replace("training:", "soft_labels: null\ntraining:"))
    assert load_recipe(source, ["soft_labels.temperature=2"]).soft_labels.temperature == 2
    keys = ", ".join(SoftLabels.model_fields)
    assert faults(source) == [f"soft_labels: expected keys with values ({keys}), found null"]


def test_teachers_can_be_taken_away(recipe):
    assert load_recipe(recipe, ["teachers=null"]).teachers is None


def test_a_whole_part_is_replaced_not_merged(recipe):
    data = load_recipe(recipe, ["data={source: directory, root: glue_data}"]).data
    assert (data.source, data.root, data.max_length) == ("directory", "glue_data", 512)


@pytest.mark.parametrize(
    ("override", "start"),
    [
        ("tasks=[rte", "tasks: cannot read the value '[rte': "),
        ("name=${nothing}", "name: ${nothing}: there is no key nothing"),
        ("name=${oc.env:HOME}", "name: cannot read the value '${oc.env:HOME}': line 1: "),
        ("name=@", "name: cannot read the value '@': "),
    ],
)
def test_a_value_that_cannot_be_read_is_named(recipe, override, start):
    (line,) = faults(recipe, override)
    assert line.startswith(start)


@pytest.mark.parametrize(
    ("override", "root"),
    [("data.root=a=b", "a=b"), ("data.root=/a b/c:d", "/a b/c:d"), ("data.root=", None)],
)
def test_all_after_the_first_equals_sign_is_the_value(recipe, override, root):
    assert load_recipe(recipe, ["data.source=directory", override]).data.root == root


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["5e-5", "5.0e-5", "0.00005"])
def test_a_rate_in_scientific_notation_is_a_number(text, recipe, tmp_path):
    assert load_recipe(recipe, [f"training.learning_rate={text}"]).training.learning_rate == 5e-5
    source = written(tmp_path, RECIPE.replace("4.0e-4", text))
    assert load_recipe(source).training.learning_rate == 5e-5


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("training.learning_rate=true", "training.learning_rate: expected a number, found true"),
        ("training.epochs=true", "training.epochs: expected an integer, found true"),
        ("training.epochs='5'", "training.epochs: expected an integer, found '5'"),
        ("training.epochs=2.5", "training.epochs: expected an integer, found 2.5"),
        ("baseline=1", "baseline: expected true or false, found 1"),
        ("training.learning_rate=.nan", "training.learning_rate: expected a finite number, found "
         "nan"),
        ("name=5", "name: expected text, found 5; put it in quotes"),
        ("soft_labels.temperature=0", "soft_labels.temperature: expected more than 0, found 0"),
        ("student.dropout=1", "student.dropout: expected less than 1, found 1"),
        ("student.distill_weight=1.5", "student.distill_weight: expected at most 1, found 1.5"),
        ("student.tasks=[]", "student.tasks: expected 1 or more entries, found []"),
        ("data.source=samples", "data.source: expected 'sample', 'directory' or 'hub', found "
         "'samples'; did you mean 'sample'?"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_or_size_is_not_bent_into_shape(recipe, override, fault):
    assert faults(recipe, override) == [fault]


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", ["seed: 1\nseed: 2\n", "soft_labels: {temperature: 1, "
                                  "temperature: 2}\n"])  # fmt: skip
def test_a_key_given_twice_is_refused(more, tmp_path):
    source = written(tmp_path, RECIPE + more)
    with pytest.raises(RecipeError, match=f"{source}: not valid YAML.*(\n.*)*duplicate key"):
        load_recipe(source)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "expected UTF-8 text, found 'utf-8' codec"),
        (b"a: [", "not valid YAML"),
        (b"5", "not valid YAML"),
        (b"[1]", "expected keys and values, found a list"),
        (b"a: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
        (b"a: ${nowhere}\n", "a: ${nowhere}: there is no key nowhere"),
        (b"", "name: required, but missing"),
        (b"kind: [glue]\n", "kind: expected one of glue, compress, lifelong, found ['glue']"),
        (
            b"corpus: {files: [a.txt]}\n",
            "kind: missing; a recipe with a corpus is",
        ),
        (b"kind: gleu\n", "kind: expected one of glue, compress, lifelong, found 'gleu'"),
    ],
)
def test_a_file_that_is_no_recipe_is_named_with_what_is_wrong(content, message, tmp_path):
    path = tmp_path / "r.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=f"(?s)^{re.escape(str(path))}: .*{re.escape(message)}"):
        load_recipe(str(path))


def test_an_unknown_name_is_compared_with_the_built_in_ones():
    with pytest.raises(RecipeError, match=r"^quikstart: .*did you mean 'quickstart'\? built in: "):
        load_recipe("quikstart")
    with pytest.raises(RecipeError, match="no such recipe, file or run directory; built in: "):
        load_recipe("/nowhere/at/all.yaml")


def test_a_directory_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"a directory without recipe\.yaml"):
        load_recipe(str(tmp_path))


# --- run directories ------------------------------------------------------------------------------


def test_a_run_directory_is_a_recipe_with_its_overrides(recipe, tmp_path):
    loaded = load_recipe(recipe, ["training.epochs=9"])
    save_recipe(loaded, tmp_path / "runs" / "small")
    assert load_recipe(str(tmp_path / "runs" / "small")) == loaded
    again = load_recipe(str(tmp_path / "runs" / "small"), ["seed=5"])
    assert (again.training.epochs, again.seed) == (9, 5)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["training.learning_rate=5e-5", "description='5e-5'", "student.training.clip_norm=null"],
        ["training.sampling={strategy: power, sampling_exponent: 0.75}", "name='null'"],
        ["training.task_weights={rte: 2.0}", "training.trackers=[tensorboard]"],
        ["description='yes: \"no\" # é'", "student.heads={rte: {type: san, steps: 3}}"],
    ],
)
def test_a_saved_recipe_is_the_same_when_loaded_again(overrides, recipe, tmp_path):
    loaded = load_recipe(recipe, overrides)
    save_recipe(loaded, tmp_path / "run")
    again = load_recipe(str(tmp_path / "run"))
    assert again == loaded
    # what is set at all decides which training settings win
    assert again.model_dump(exclude_unset=True) == loaded.model_dump(exclude_unset=True)


def test_a_saved_recipe_says_only_what_was_said(recipe, tmp_path):
    save_recipe(load_recipe(recipe), tmp_path)
    saved = OmegaConf.to_container(OmegaConf.load(tmp_path / "recipe.yaml"))
    assert saved == OmegaConf.to_container(OmegaConf.create(RECIPE))


def test_a_recipe_cut_to_fewer_tasks_can_be_loaded_again(recipe, tmp_path):
    cut, _ = plan_tasks(load_recipe(recipe, ["teachers.tasks=[rte,cola]"]))
    save_recipe(cut, tmp_path / "run")
    assert load_recipe(str(tmp_path / "run")) == cut


# --- built-in recipes -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", recipe_names())
def test_a_built_in_recipe_loads_fits_its_cards_and_says_how_to_run_it(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description
    if isinstance(recipe, GlueRecipe):
        _, tasks = plan_tasks(recipe)
        assert tasks
    text = (files("mtkd.pipelines") / f"{name}.yaml").read_text("utf-8")
    header = text[: text.index("\nname:")]
    assert all(line.startswith("#") for line in header.splitlines())
    command = {"glue": "run"}.get(recipe.kind, recipe.kind)
    assert f"mtkd {command} {name}" in header
    assert "Expect" in header


@pytest.mark.parametrize("name", recipe_names())
def test_a_built_in_recipe_survives_saving(name, tmp_path):
    save_recipe(load_recipe(name), tmp_path)
    assert load_recipe(str(tmp_path)) == load_recipe(name)


def test_loading_a_recipe_imports_nothing_heavy():
    code = (
        "import sys; from mtkd.recipe import load_recipe; load_recipe('quickstart');"
        "print([m for m in ('torch', 'transformers', 'datasets', 'numpy', 'pandas')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_readmes_own_recipe_is_one(tmp_path):
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", readme, re.S)
    path = tmp_path / "mine.yaml"
    path.write_text(next(block for block in blocks if "name: mine" in block))
    plan_tasks(load_recipe(str(path)))


@pytest.mark.parametrize(("written", "meant"), [("on", "on"), ("off", "off"), ("auto", "auto")])
def test_a_bare_on_or_off_is_what_it_says_though_yaml_reads_a_truth(written, meant):
    assert load_recipe("quickstart", [f"training.compile={written}"]).training.compile == meant
