import time

import datasets
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from mtkd.errors import DataError
from mtkd.examples import Example, has_split, read_examples
from mtkd.recipe.schema import DataSettings
from mtkd.task import load_task

HUB = DataSettings(source="hub")


def rte(labels: ClassLabel | Value, *rows: int | str) -> Dataset:
    features = {
        "sentence1": Value("string"),
        "sentence2": Value("string"),
        "label": labels,
        "idx": Value("int32"),
    }
    columns = {
        "sentence1": [f"first {i}" for i in range(len(rows))],
        "sentence2": [f"second {i}" for i in range(len(rows))],
        "label": list(rows),
        "idx": [10 + i for i in range(len(rows))],
    }
    return Dataset.from_dict(columns, Features(features))


def read(split: str = "train", task: str = "rte") -> list[Example]:
    return list(read_examples(load_task(task), split, HUB))


def test_rows_have_the_hubs_ids_and_the_cards_split_names(hub):
    asked = hub(rte(ClassLabel(names=["entailment", "not_entailment"]), 0, 1))
    assert read("dev") == [
        Example("rte/dev/10", ("first 0", "second 0"), 0),
        Example("rte/dev/11", ("first 1", "second 1"), 1),
    ]
    assert asked == [("nyu-mll/glue", "rte", None, "validation")]


def test_classes_are_known_by_name_whatever_their_order_on_the_hub(hub):
    hub(rte(ClassLabel(names=["not_entailment", "entailment"]), 0, 1))
    assert [e.label for e in read()] == [1, 0]


def test_classes_are_known_by_name_where_files_write_digits(hub):
    names = ClassLabel(names=["entailment", "not_entailment"])  # WNLI's card has them reversed
    hub(rte(names, 0, 1))
    assert [e.label for e in read(task="wnli")] == [1, 0]


def test_names_as_text_are_read_as_in_files(hub):
    hub(rte(Value("string"), "not_entailment", "entailment"))
    assert [e.label for e in read()] == [1, 0]


def test_a_class_that_the_card_does_not_know_is_refused_though_no_row_has_it(hub):
    hub(rte(ClassLabel(names=["entailment", "not_entailment", "neutral"]), 0, 1))
    with pytest.raises(DataError, match=r"glue/rte/train: label: the class 'neutral' is none of"):
        read()


def test_numbers_without_names_are_not_taken_for_positions(hub):
    hub(rte(Value("int64"), 0, 1))
    with pytest.raises(
        DataError, match=r"row 1: label: expected one of 'entailment', .* found '0'"
    ):
        read()


def test_minus_one_is_an_unknown_label_in_a_test_split_and_a_fault_in_training(hub):
    hub(rte(ClassLabel(names=["entailment", "not_entailment"]), -1, -1))
    assert [e.label for e in read("test")] == [None, None]
    with pytest.raises(DataError, match="row 1: label: expected a gold label, found none"):
        read("train")


def test_minus_one_is_no_score_of_a_task_without_negative_ones(hub):
    hub(rte(Value("float32"), -1.0))
    assert [e.label for e in read("test", "stsb")] == [None]
    hub(rte(Value("float32"), 2.5))
    assert [e.label for e in read("train", "stsb")] == [2.5]


def test_a_test_split_without_a_label_column_is_read(hub):
    hub(rte(Value("string"), "x").remove_columns("label"))
    assert [e.label for e in read("test")] == [None]


def test_a_missing_column_is_named(hub):
    hub(rte(Value("string"), "x").rename_column("sentence1", "premise"))
    with pytest.raises(
        DataError, match="'sentence1', which is not there; the header's are 'premise'"
    ):
        read()


@pytest.mark.parametrize(
    "error",
    [ConnectionError("no route"), datasets.exceptions.DatasetNotFoundError("it doesn't exist")],
)
def test_a_data_set_that_cannot_be_had_is_named(hub, error):
    hub(error)
    with pytest.raises(DataError, match=rf"^nyu-mll/glue: .*{error}"):
        read()


def test_without_a_network_the_cache_is_asked_and_the_user_told_what_else_to_do(monkeypatch):
    seen = []

    def unreachable(*args, **kwargs):
        raise ConnectionError("no route to host")

    def load_dataset(*args, **kwargs):
        seen.append(datasets.config.HF_HUB_OFFLINE)
        raise ConnectionError("Couldn't reach 'nyu-mll/glue' on the Hub")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", unreachable)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    before = datasets.config.HF_HUB_OFFLINE
    with pytest.raises(DataError) as caught:
        read()
    assert str(caught.value) == (
        "nyu-mll/glue: not in the local cache, and the Hugging Face hub could not be reached "
        "(no route to host); try again with a network, or read files: "
        "data.source=directory data.root=<a glue_data folder>"
    )
    assert seen == [True]  # otherwise datasets asks the dead hub again and again
    assert before == datasets.config.HF_HUB_OFFLINE


def test_a_dead_hub_is_given_up_within_seconds(monkeypatch, tmp_path):
    # nothing listens there; the real load_dataset is called, and left alone would ask for 23 s
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    monkeypatch.setattr(datasets.config, "HF_MODULES_CACHE", str(tmp_path))
    start = time.monotonic()
    with pytest.raises(DataError, match=r"hub could not be reached \(.*Connection refused\)"):
        read()
    assert time.monotonic() - start < 10


def test_a_split_that_the_hub_has_not_is_named():
    assert not has_split(load_task("rte"), "unlabelled", HUB)
    assert has_split(load_task("rte"), "test", HUB)
    with pytest.raises(DataError, match="rte: the card has no hub split for 'unlabelled'"):
        read("unlabelled")
