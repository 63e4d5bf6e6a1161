"""What a card names cannot leave the run directory or the data folder."""

from pathlib import Path

import pytest

from mtkd.errors import CardError, RecipeError
from mtkd.recipe import load_recipe
from mtkd.task import load_task, plan_tasks
from tests.recipe.test_names import LEAVING, NOT_ON_WINDOWS, NOT_PLAIN, UNFIT

CARD = {
    "name": "pets",
    "title": "Cats and dogs",
    "kind": "classification",
    "texts": ["text"],
    "labels": ["cat", "dog"],
    "metrics": ["accuracy"],
    "files": {"train": {"path": "train.csv"}, "dev": {"path": "dev.csv"}},
}
TEST = {"test": {"path": "test.csv", "labelled": False}}


def written(folder: Path, file: str = "pets.yaml", **changes: object) -> Path:
    import json

    card = folder / file
    card.write_text(json.dumps({**CARD, **changes}), "utf-8")  # JSON is YAML
    return card


def fault(folder: Path, **changes: object) -> str:
    with pytest.raises(CardError) as caught:
        load_task(written(folder, **changes))
    assert all(line.isprintable() for line in str(caught.value).splitlines())
    return str(caught.value)


def submission(**part: object) -> list[dict[str, object]]:
    return [{"split": "test", "file": "Pets.tsv", "rows": 3, "labels": ["0", "1"], **part}]


@pytest.mark.parametrize("name", [*UNFIT, "-a", "a.b", "a b", "é"], ids=ascii)
def test_a_tasks_name_is_a_plain_folder_everywhere(name, tmp_path):
    message = fault(tmp_path, name=name)
    assert "name: a name becomes a folder" in message or "not valid YAML" in message


@pytest.mark.parametrize(
    "split", ["../train", "train/..", "train_/", "train\n", "train_\0", "dev_" + "x" * 61, "Train",
              "train_é", "trainer", "", "dev_"], ids=ascii
)  # fmt: skip
def test_a_splits_name_is_one_of_ours_with_a_short_suffix(split, tmp_path):
    message = fault(tmp_path, files={**CARD["files"], split: {"path": "x.csv"}})
    assert "a split is one of train, dev, test, unlabelled" in message or "not valid" in message


def test_splits_that_would_share_a_file_are_refused(tmp_path):
    files = {**CARD["files"], "dev_a": {"path": "a.csv"}, "dev_A": {"path": "b.csv"}}
    assert "files: the splits dev_a and dev_A would share a file" in fault(tmp_path, files=files)
    hub = {"path": "me/pets", "splits": {"Dev".lower() + "_B": "x", "dev_b": "y"}}
    assert "hub: the splits dev_B and dev_b would share a file" in fault(tmp_path, hub=hub)
    both = {**CARD["files"], "dev_b": {"path": "b.csv"}}
    hub = {"path": "me/pets", "splits": {"train": "train", "dev_B": "x"}}
    assert "would share a file" in fault(tmp_path, files=both, hub=hub)


@pytest.mark.parametrize(
    "path",
    [f"{name}.csv" if name.endswith(("b", "a", ":")) else f"{name}/x.csv" for name in LEAVING]
    + ["a/../../x.csv", "a/..", "C:x.csv", "//server/x.csv", "~\0.csv", "x" * 300 + ".csv"],
    ids=ascii,
)
def test_a_cards_file_lies_in_the_cards_folder(path, tmp_path):
    if path in {"a//x.csv", "a/b.csv"}:  # these do
        return
    message = fault(tmp_path, files={**CARD["files"], "train": {"path": path}})
    assert "files.train.path: expected a" in message or "control characters" in message


@pytest.mark.parametrize("path", ["x.csv", "a/b/x.csv", "./x.csv", "a b/é.csv", "a..b/x.csv"])
def test_files_in_and_below_the_cards_folder_are_fine(path, tmp_path):
    task = load_task(written(tmp_path, files={**CARD["files"], "train": {"path": path}}))
    assert task.files["train"].path == path
    assert task.folder == tmp_path


@pytest.mark.parametrize("name", [*LEAVING, *NOT_PLAIN, *NOT_ON_WINDOWS, ".", "", "x" * 300],
                         ids=ascii)  # fmt: skip
def test_a_submissions_file_is_a_plain_name(name, tmp_path):
    if name.endswith((".", " ")):  # not with an ending after it
        return
    message = fault(tmp_path, files={**CARD["files"], **TEST},
                    submission=submission(file=f"{name}.tsv"))  # fmt: skip
    assert "submission.0.file: " in message or "not valid YAML" in message


def test_submission_files_that_would_share_a_file_are_refused(tmp_path):
    parts = [*submission(), *submission(file="PETS.tsv")]
    message = fault(tmp_path, files={**CARD["files"], **TEST}, submission=parts)
    assert "the files Pets.tsv and PETS.tsv would share a file" in message


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Pets\nerror: forged"},
        {"texts": ["te\nxt"]},
        {"labels": ["cat", "do\tg"]},
        {"label": "a\nb"},
        {"hub": {"path": "a\nb", "splits": {"train": "train"}}},
        {"files": {**CARD["files"], "train": {"path": "a\nb.csv"}}},
        {"files": {**CARD["files"], "train": {"path": "x.csv", "id": "a\nb"}}},
    ],
)
def test_what_a_card_says_is_one_line_each(changes, tmp_path):
    message = fault(tmp_path, **changes)
    assert "forged" not in [line[:6] for line in message.splitlines()]
    assert "control characters" in message


def test_two_tasks_that_would_share_a_folder_are_refused(tmp_path):
    one, other = written(tmp_path, "a.yaml"), written(tmp_path, "b.yaml", name="PETS")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"name: x\ntasks: ['{one}', '{other}']\nstudent: {{encoder: e}}\n", "utf-8")
    with pytest.raises(RecipeError, match="tasks: pets and PETS would share a folder"):
        plan_tasks(load_recipe(str(recipe)))
