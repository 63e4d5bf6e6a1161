import pytest
from pydantic import ValidationError

from mtkd.recipe import (
    GlueRecipe,
    Sampling,
    Student,
    TrainingSettings,
    derive_seed,
    with_overrides,
)
from mtkd.recipe.schema import Teachers
from mtkd.recipe.training import TrainingOverrides

BASE = {"name": "x", "tasks": ["rte"], "student": {"encoder": "e"}}


def candidates(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "encoder": "e"} for name in names]


# --- names become folders -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["..", ".", ".hidden", "a/b", "../a", "/a", "a/", "a\0", "a\nb", " a", "a ", " ", "", "x" * 81,
     "a.json", "a.zip"],
)  # fmt: skip
def test_a_name_that_is_no_plain_folder_is_refused(name):
    with pytest.raises(ValidationError):
        GlueRecipe.model_validate({**BASE, "name": name})
    with pytest.raises(ValidationError):
        Teachers(candidates=candidates(name), tasks=("rte",), select={"keep": 1})


@pytest.mark.parametrize("name", ["ensemble", "student", "baseline", "student_finetuned"])
def test_mtkds_own_names_are_refused(name):
    with pytest.raises(ValidationError, match=f"'{name}' is one of mtkd's own names"):
        Teachers(candidates=candidates(name), tasks=("rte",), select={"keep": 1})


@pytest.mark.parametrize("name", ["cased-0.1", "my recipe", "Größe", "a.b", "x" * 80])
def test_other_names_are_fine(name):
    assert GlueRecipe.model_validate({**BASE, "name": name}).name == name


# --- what goes together ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"candidates": candidates("a", "a"), "select": {"keep": 1, "by": ["rte"]}},
         "two candidates are named a"),
        ({"candidates": candidates("a", "b"), "select": {"keep": 3}}, "keep is 3, of 2 candidates"),
        ({"candidates": candidates("a", "b"), "select": {"keep": 1}}, "names no task"),
        ({"candidates": candidates("a")}, "keep is 3, of 1 candidates"),
    ],
)  # fmt: skip
def test_candidates_must_be_enough_and_distinct(given, message):
    with pytest.raises(ValidationError, match=message):
        Teachers.model_validate({"tasks": ["rte"], **given})


def test_annealing_and_a_fixed_share_are_not_both_to_be_had():
    with pytest.raises(ValidationError, match="leave out distill_weight, or set anneal=false"):
        Student(encoder="e", anneal=True, distill_weight=0.5)
    assert Student(encoder="e", anneal=True).distill_weight is None
    assert Student(encoder="e", anneal=False, distill_weight=0.5).distill_weight == 0.5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"strategy": "power"}, "power needs sampling_exponent"),
        ({"strategy": "annealed"}, "annealed needs sampling_exponent"),
        ({"strategy": "main_auxiliary"}, "main_auxiliary needs main, ratio"),
        ({"strategy": "main_auxiliary", "main": "rte"}, "needs ratio"),
        ({"sampling_exponent": 0.5}, "proportional does not use sampling_exponent; leave it out"),
        ({"strategy": "sqrt", "ratio": 1.0}, "sqrt does not use ratio"),
    ],
)
def test_a_sampling_strategy_has_its_own_options_and_no_others(given, message):
    with pytest.raises(ValidationError, match=message):
        Sampling.model_validate(given)


def test_recipes_cannot_be_changed():
    recipe = GlueRecipe.model_validate(BASE)
    with pytest.raises(ValidationError, match="frozen"):
        recipe.seed = 2


# --- training settings ----------------------------------------------------------------------------


def test_the_defaults_are_the_papers():
    settings = TrainingSettings()
    assert (settings.optimizer, settings.learning_rate, settings.batch_size) == ("adamax", 5e-5, 32)
    assert (settings.epochs, settings.warmup, settings.clip_norm) == (5, 0.1, 1.0)
    assert (settings.weight_decay, settings.schedule) == (0.01, "linear")


def test_the_last_override_wins_and_the_rest_stays():
    base = TrainingSettings(epochs=3, batch_size=16)
    one = TrainingOverrides(epochs=4, warmup=0.0)
    two = TrainingOverrides(epochs=5)
    assert with_overrides(base, one, two) == TrainingSettings(epochs=5, batch_size=16, warmup=0.0)
    assert with_overrides(base) == base


def test_an_override_that_says_the_default_still_overrides():
    base = TrainingSettings(epochs=3)
    assert with_overrides(base, TrainingOverrides(epochs=5)).epochs == 5


def test_null_turns_off_what_can_be_off_and_elsewhere_leaves_the_base():
    base = TrainingSettings(epochs=3, clip_norm=2.0, early_stopping=1)
    off = with_overrides(base, TrainingOverrides(clip_norm=None, early_stopping=None, epochs=None))
    assert (off.clip_norm, off.early_stopping, off.epochs) == (None, None, 3)


def test_every_override_can_be_told_from_what_it_overrides():
    assert TrainingOverrides.model_fields.keys() <= TrainingSettings.model_fields.keys()
    assert with_overrides(TrainingSettings(), TrainingOverrides()) == TrainingSettings()


def test_overridden_settings_are_valid_settings():
    """`with_overrides` validates nothing, so the ranges of both have to agree."""
    for name, field in TrainingOverrides.model_fields.items():
        assert (
            field.metadata == [] or field.metadata == TrainingSettings.model_fields[name].metadata
        )
    settings = with_overrides(TrainingSettings(), TrainingOverrides(sampling={"strategy": "sqrt"}))
    assert TrainingSettings.model_validate(settings.model_dump()) == settings


@pytest.mark.parametrize(("given", "rows"), [(1, 1), (48, 48), ("48", 48), ("auto", 32)])
def test_a_batch_is_a_number_of_rows_or_auto_which_is_the_papers(given, rows):
    assert TrainingSettings(batch_size=given).rows_per_update == rows


@pytest.mark.parametrize("given", [0, -1, 1.5, "all", None])
def test_nothing_else_is_a_batch_size(given):
    with pytest.raises(ValidationError):
        TrainingSettings(batch_size=given)


def test_batch_size_and_checkpointing_can_be_set_for_one_part():
    base = TrainingSettings(batch_size=16)
    assert base.gradient_checkpointing is False
    override = TrainingOverrides(batch_size="auto", gradient_checkpointing=True)
    changed = with_overrides(base, override)
    assert (changed.batch_size, changed.gradient_checkpointing) == ("auto", True)
    assert with_overrides(changed, TrainingOverrides(gradient_checkpointing=None)) == changed
    assert not with_overrides(
        changed, TrainingOverrides(gradient_checkpointing=False)
    ).gradient_checkpointing


# --- seeds ----------------------------------------------------------------------------------------


def test_a_seed_depends_on_every_name_and_on_nothing_else():
    seeds = {
        derive_seed(1),
        derive_seed(2),
        derive_seed(1, "rte"),
        derive_seed(1, "rte", 0),
        derive_seed(1, "rte", 1),
        derive_seed(1, 0, "rte"),
        derive_seed(11, "rte"),
        derive_seed(1, "1rte"),
    }
    assert len(seeds) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed(1, "rte", 0) == 2846994358176842508  # on every machine
