import shutil

import pytest

from mtkd.errors import DataError
from mtkd.examples import has_split, read_examples, split_path
from mtkd.recipe.schema import DataSettings
from mtkd.task import load_task
from tests.examples.own_cards import own_task

RTE = load_task("rte")
ROWS = "index\tsentence1\tsentence2\tlabel\n3\ta\tb\tentailment\n"


@pytest.fixture
def data(tmp_path) -> DataSettings:
    (tmp_path / "RTE").mkdir()
    (tmp_path / "RTE" / "train.tsv").write_text(ROWS)
    return DataSettings(root=str(tmp_path))


def test_a_built_in_task_is_read_from_the_data_root(data):
    (example,) = read_examples(RTE, "train", data)
    assert (example.guid, example.texts, example.label) == ("rte/train/3", ("a", "b"), 0)


@pytest.mark.parametrize("split", ["train", "dev"])
def test_a_missing_train_or_dev_file_suggests_to_leave_the_task_out(data, tmp_path, split):
    shutil.rmtree(tmp_path / "RTE")
    with pytest.raises(
        DataError, match=rf"RTE/{split}.tsv: no such file.* tasks=\[...\] without rte"
    ):
        read_examples(RTE, split, data)  # at once, before a row is asked for


@pytest.mark.parametrize("split", ["test", "unlabelled"])
def test_a_missing_test_or_unlabelled_file_can_be_asked_for_beforehand(data, split):
    assert has_split(RTE, "train", data)
    assert not has_split(RTE, split, data)
    with pytest.raises(DataError) as caught:
        read_examples(RTE, split, data)
    assert "leave the task out" not in str(caught.value)


def test_a_split_that_the_card_does_not_know_is_refused(data):
    assert not has_split(RTE, "dev_matched", data)
    with pytest.raises(DataError, match=r"rte: the card has no file for the split 'dve'.*'dev'\?"):
        read_examples(RTE, "dve", data)


def test_without_a_data_root_the_sample_is_suggested():
    with pytest.raises(DataError, match=r"data.root: .*data.source=sample"):
        read_examples(RTE, "train", DataSettings())


@pytest.mark.parametrize("source", ["sample", "directory", "hub"])
def test_files_of_a_card_of_ones_own_lie_beside_it_wherever_other_data_is(tmp_path, source):
    task = own_task(tmp_path)
    assert split_path(task, "train", DataSettings(source=source)) == tmp_path / "train.tsv"
    (tmp_path / "train.tsv").write_text("text\tlabel\nx\tcat\n")
    (example,) = read_examples(task, "train", DataSettings(source=source))
    assert example.guid == "pets/train/0"
