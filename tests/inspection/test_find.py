import pytest

from mtkd.errors import RunDirError, StoreError
from mtkd.inspection import find_stores


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "mine"
    touch(
        folder,
        "recipe.yaml",
        "soft_labels/rte/train.parquet",
        "soft_labels/rte/dev.parquet",
        "soft_labels/rte/manifest.json",
        "soft_labels/rte/.train.parquet.partial",
        "soft_labels/.mrpc.old/train.parquet",
        "soft_labels/mrpc/train.parquet",
        "predictions/student/rte/dev.parquet",
    )
    return folder


ALL = ["mrpc/train.parquet", "rte/dev.parquet", "rte/train.parquet"]


@pytest.mark.parametrize("at", ["", "soft_labels", ".."])
def test_a_run_its_soft_labels_and_a_folder_of_runs_mean_every_store(run, at):
    assert find_stores(run / at) == [run / at / _within(at) / name for name in ALL]


def _within(at):
    return {"": "soft_labels", "soft_labels": "", "..": "mine/soft_labels"}[at]


def test_a_tasks_folder_means_its_stores_and_a_file_itself(run):
    rte = run / "soft_labels" / "rte"

    assert find_stores(rte) == [rte / "dev.parquet", rte / "train.parquet"]
    assert find_stores(rte / "train.parquet") == [rte / "train.parquet"]


def test_the_run_of_a_compress_recipe_has_none_to_make(tmp_path):
    touch(tmp_path, "recipe.yaml", "corpus/manifest.json")
    with pytest.raises(RunDirError, match="of a compress recipe, which has no soft labels"):
        find_stores(tmp_path)


def test_a_run_without_soft_labels_says_which_command_makes_them(tmp_path):
    touch(tmp_path, "recipe.yaml", "predictions/student/rte/dev.parquet")

    with pytest.raises(RunDirError, match=f"mtkd soften {tmp_path}"):
        find_stores(tmp_path)


def test_what_is_not_there_or_holds_no_store_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"no such file or folder.*mtkd soften"):
        find_stores(tmp_path / "nowhere")
    with pytest.raises(StoreError, match=r"no soft-label store.*mtkd soften"):
        find_stores(tmp_path)
    touch(tmp_path, "labels.csv")
    with pytest.raises(StoreError, match="mtkd import-soft-labels"):
        find_stores(tmp_path / "labels.csv")
