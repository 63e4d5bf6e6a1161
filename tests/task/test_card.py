from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from mtkd.recipe.faults import format_faults
from mtkd.recipe.schema import HeadSettings
from mtkd.task import Task, head_fault

PAIR = {
    "name": "pets",
    "title": "Cats and dogs",
    "kind": "classification",
    "texts": ["first", "second"],
    "labels": ["cat", "dog"],
    "metrics": ["accuracy"],
    "files": {"train": {"path": "train.tsv"}, "dev": {"path": "dev.tsv"}},
}
SCORE = {**PAIR, "kind": "regression", "labels": [], "range": [0, 5], "metrics": ["pearson"]}
WITH_TEST = {**PAIR["files"], "test": {"path": "test.tsv", "labelled": False}}


def changed(card: Mapping[str, object], **changes: object) -> dict[str, object]:
    return {key: value for key, value in {**card, **changes}.items() if value is not None}


def faults(card: Mapping[str, object]) -> list[str]:
    try:
        Task.model_validate(card)
    except ValidationError as error:
        return format_faults(error, Task)
    return []


def with_train(**file: object) -> dict[str, object]:
    return {"train": {"path": "train.tsv", **file}, "dev": {"path": "dev.tsv"}}


def submission(**part: object) -> list[dict[str, object]]:
    whole = {"split": "test", "file": "Pets.tsv", "rows": 3, "labels": ["cat", "dog"], **part}
    return [{key: value for key, value in whole.items() if value is not None}]


@pytest.mark.parametrize("card", [PAIR, SCORE])
def test_the_cards_that_the_faulty_ones_are_made_from_are_right(card):
    assert faults(card) == []


@pytest.mark.parametrize(
    ("card", "line"),
    [
        (changed(PAIR, labels=None), "labels: classification needs two or more, found none"),
        (changed(PAIR, labels=["cat"]), "labels: classification needs two or more, found cat"),
        (changed(PAIR, labels=["cat", "cat"]), "labels: the label 'cat' stands here twice"),
        (
            changed(PAIR, labels=[0, 1]),
            "labels.0: expected text, found 0; put it in quotes",
        ),
        (
            changed(PAIR, file_labels=["0"]),
            "file_labels: expected 2, one a label, found 1",
        ),
        (changed(PAIR, file_labels=["1", "1"]), "file_labels: the label '1' stands here twice"),
        (
            changed(PAIR, positive="dogg"),
            "positive: expected one of labels (cat, dog), found 'dogg'; did you mean 'dog'?",
        ),
        (changed(PAIR, range=[0, 1]), "range: classification has none; leave it out"),
        (
            changed(PAIR, metrics=["pearson"]),
            "metrics: expected those of classification (accuracy, f1, matthews), found 'pearson'",
        ),
        (changed(PAIR, metrics=["f1"]), "metrics: f1 needs `positive`, the label it is the F1 of"),
        (changed(PAIR, metrics=[]), "metrics: expected 1 or more entries, found []"),
        (changed(SCORE, labels=["a", "b"]), "labels: regression has no labels; leave them out"),
        (
            changed(SCORE, range=None),
            "range: regression needs the range of its scores, such as [0, 5]",
        ),
        (
            changed(SCORE, range=[5, 0]),
            "range: expected the lower bound first, found (5.0, 0.0)",
        ),
        (changed(PAIR, texts=["a", "a"]), "texts: the column 'a' stands here twice"),
        (changed(PAIR, texts=["a", "b", "c"]), "texts: expected at most 2 entries, found "),
        (changed(PAIR, label="first"), "label: 'first' is one of texts"),
        (changed(PAIR, name="../pets"), "name: a name becomes a folder: "),
        (changed(PAIR, name=".pets"), "name: a name becomes a folder: "),
        (
            changed(PAIR, files=with_train(path="../train.tsv")),
            "files.train.path: expected a path inside the data folder, without '..', ",
        ),
        (
            changed(PAIR, files=with_train(path="/data/train.tsv")),
            "files.train.path: expected a path inside the data folder, ",
        ),
        (
            changed(PAIR, files=with_train(path="train.xlsx")),
            "files.train.path: expected a file ending in .tsv, .csv, .jsonl, .json, .parquet, ",
        ),
        (
            changed(PAIR, files=with_train(columns={"frist": "a"})),
            "files: train: columns: expected texts or label (first, second, label), found 'frist'",
        ),
        (
            changed(PAIR, files=with_train(header=False, columns={"first": 0})),
            "files: train: without a header, columns are given by position, not as 'second'",
        ),
        (
            changed(PAIR, files=with_train(columns={"first": 1, "second": 1})),
            "files: train: the column '1' stands here twice",
        ),
        (
            changed(PAIR, files=with_train(path="train.jsonl", id=0)),
            "files: train: train.jsonl gives its columns by name",
        ),
        (changed(PAIR, files=with_train(columns={"first": -1})), "files.train.columns.first: "),
        (
            changed(PAIR, files=with_train(labelled=False)),
            "files: train: labelled: train and dev need gold labels",
        ),
        (
            changed(PAIR, files={**with_train(), "valid": {"path": "v.tsv"}}),
            "files.valid: a split is one of train, dev, test, unlabelled",
        ),
        (changed(PAIR, files={"train": {"path": "t.tsv"}}), "head_of: no dev split in files"),
        (changed(PAIR, files=None), "head_of: no train and no dev split in files or hub"),
        (changed(PAIR, head_of="pets"), "head_of: names another task"),
        (
            changed(PAIR, hub={"path": "me/pets", "splits": {"train": "a"}, "columns": {"x": "y"}}),
            "hub: columns: expected texts or label (first, second, label), found 'x'",
        ),
        (changed(PAIR, head={"type": "ranking"}), "head: ranking needs `positive`"),
        (
            changed(PAIR, head={"type": "ranking"}, labels=["a", "b", "c"], positive="a"),
            "head: ranking needs a task of two labels; this one has 3",
        ),
        (
            changed(PAIR, head={"type": "san"}, texts=["first"]),
            "head: san compares two texts; this task has 1",
        ),
        (
            changed(PAIR, submission=submission()),
            "submission: Pets.tsv: expected one of the card's splits (train, dev), found 'test'",
        ),
        (
            changed(PAIR, files=WITH_TEST, submission=submission(labels=["0"])),
            "submission: Pets.tsv: labels: expected 2, one a label, found 1",
        ),
        (
            changed(PAIR, files=WITH_TEST, submission=submission(majority="cow")),
            "submission: Pets.tsv: majority: expected one of labels (cat, dog), found 'cow'",
        ),
        (
            changed(
                SCORE,
                files=WITH_TEST,
                submission=submission(labels=None, majority="9"),
            ),
            "submission: Pets.tsv: majority: expected a number in (0.0, 5.0), found '9'",
        ),
        (
            changed(PAIR, submission=submission(file="a/Pets.tsv")),
            "submission.0.file: expected the name of a .tsv file without a folder",
        ),
        (changed(PAIR, metric=["accuracy"]), "metric: unknown key; did you mean 'metrics'?"),
    ],
)
def test_what_does_not_fit_together_is_refused_under_its_key(card, line):
    assert any(found.startswith(line) for found in faults(card)), faults(card)


def test_all_faults_of_a_card_come_in_one_go():
    card = changed(
        PAIR,
        titel="Pets",
        name="a/b",
        positive="cow",
        range=[0, 1],
        files=with_train(path="../x.tsv"),
        head={"dropout": 2},
    )
    keys = [line.split(":")[0] for line in faults(card)]
    assert keys == ["name", "positive", "range", "files.train.path", "head.dropout", "titel"]


def test_what_a_card_says_of_its_head_leaves_the_other_defaults():
    head = Task.model_validate(changed(PAIR, head={"type": "san", "dropout": 0.2})).head
    assert (head.type, head.dropout, head.pooling, head.steps) == ("san", 0.2, "first", 5)


def test_a_recipes_head_is_held_against_a_task_in_the_same_way():
    ranking = HeadSettings(type="ranking")
    assert head_fault(ranking, ("a", "b"), ("x", "y"), "x") is None
    assert "compares two texts" in str(head_fault(ranking, ("a",), ("x", "y"), "x"))
    assert head_fault(HeadSettings(), ("a",), (), None) is None


def test_a_task_cannot_be_changed():
    task = Task.model_validate(PAIR)
    with pytest.raises(ValidationError):
        task.name = "other"
