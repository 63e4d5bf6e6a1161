"""What a compress recipe may say of its encoders and its text, by its file alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mtkd.errors import RecipeError
from mtkd.recipe import CompressRecipe, load_recipe, recipe_names, save_recipe

CONTENT = {
    "name": "small",
    "kind": "compress",
    "teacher": {"encoder": "some/encoder"},
    "student": {"layers": 2},
    "corpus": {"files": ["texts.txt"]},
    "losses": {"mlm": {"weight": 1.0}},
}


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    OmegaConf.save(OmegaConf.create(CONTENT), tmp_path / "small.yaml")
    return str(tmp_path / "small.yaml")


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("student.layers=0", "student.layers: expected at least 1"),
        ("student.layers=[]", "student.layers: expected an integer or 1 or more entries, found []"),
        ("student.layers=[0,-1]", "student.layers.1: expected at least 0, found -1"),
        ("student.layers=[2,1]", "student.layers: expected numbers that ascend, counted from 0, "
                                 "each once; found [2, 1]"),
        ("student.layers=[1,1]", "student.layers: expected numbers that ascend"),
        ("student.keep=every", "student.keep: expected 'spread', 'first' or 'last', found 'every'"),
        ("corpus.files=[]", "corpus: name files, hub or tasks"),
        ("corpus.files=[a.txt,b.md]", "corpus.files.1: expected a file of texts, whose name ends "
                                      "in .txt, .jsonl, .json, .parquet, found 'b.md'"),
        ("corpus.files=[texts]", "corpus.files.0: expected a file of texts"),
        ("corpus.files=[a.txt.gz]", "corpus.files.0: expected a file of texts"),
        ("corpus.unit=sentences", "corpus.unit: expected 'text', 'sentence' or 'block', found "
                                  "'sentences'; did you mean 'sentence'?"),
        ("corpus.max_length=7", "corpus.max_length: expected at least 8, found 7"),
        ("corpus.min_tokens=127", "corpus: min_tokens: 127, but of max_length=128 two are special"),
        ("corpus.dev_share=0", "corpus.dev_share: expected more than 0, found 0"),
        ("corpus.dev_share=1", "corpus.dev_share: expected less than 1, found 1"),
        ("corpus.max_unknown=2", "corpus.max_unknown: expected at most 1, found 2"),
        ("corpus.hub.spilt=train", "corpus.hub.spilt: unknown key; did you mean 'split'?"),
        ("corpus.hub.split=train", "corpus.hub.path: required, but missing"),
        ("corpus.data.max_rows.train=9", "corpus: data.max_rows: all train rows of tasks are read"),
        ("corpus.data.max_length=64", "corpus: data.max_length: is max_length here; leave it out"),
        ("losses.soft_mlms.weight=1", "losses.soft_mlms: unknown key; did you mean 'soft_mlm'?"),
        ("losses.mlm.weight=0", "losses: none has a weight above 0, so nothing would be learnt"),
        ("losses.mlm.weight=-1", "losses.mlm.weight: expected at least 0, found -1"),
        ("losses.minilm.weight=1", "losses.minilm.relation_heads: required, but missing"),
        ("masking.share=0", "masking.share: expected more than 0"),
        ("warmup_mlm=0", "warmup_mlm: expected at least 1"),
        ("training.task_weights.rte=2", "training.task_weights: is for several tasks"),
        ("kind=compres", "kind: expected one of glue, compress, lifelong, found 'compres'"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_by_its_key(override: str, says: str, recipe: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe, [override])
    assert any(line.startswith(says) or line.startswith(f"{recipe}: {says}")
               for line in str(caught.value).splitlines()), str(caught.value)  # fmt: skip


@pytest.mark.parametrize("name", ["a.txt", "dir.d/a.jsonl", "/a/b.json", "a.b.parquet"])
def test_files_of_known_kinds_are_taken(name: str, recipe: str) -> None:
    found = load_recipe(recipe, [f"corpus.files=[{name}]"])
    assert isinstance(found, CompressRecipe)
    assert found.corpus.files == (name,)


@pytest.mark.parametrize("overrides", [
    [], ["corpus.unit=sentence", "student.layers=[0,3]"], ["corpus.min_tokens=126"],
    ["corpus.hub={path: org/texts, split: 'train[:1%]'}", "corpus.column=content"],
    ["corpus.data.source=sample", "corpus.tasks=[rte]"],
])  # fmt: skip
def test_a_kept_recipe_is_the_same_recipe(
    overrides: list[str], recipe: str, tmp_path: Path
) -> None:
    loaded = load_recipe(recipe, overrides)
    save_recipe(loaded, tmp_path)
    assert load_recipe(str(tmp_path)) == loaded


def test_the_recipes_that_come_with_mtkd_are_read() -> None:
    loaded = [load_recipe(name) for name in recipe_names()]
    assert any(isinstance(recipe, CompressRecipe) for recipe in loaded)
