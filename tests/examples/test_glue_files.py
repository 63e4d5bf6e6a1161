"""The official files, where MTKD_GLUE names a glue_data folder: every row is read."""

import os
from pathlib import Path

import pytest

from mtkd.examples import ReadReport, has_split, read_examples
from mtkd.recipe.schema import DataSettings
from mtkd.task import Task, load_task, task_names

ROOT = os.environ.get("MTKD_GLUE")
OFFICIAL_ROWS = {
    "cola/train": 8551,
    "sst2/train": 67349,
    "mrpc/train": 3668,
    "stsb/train": 5749,
    "rte/train": 2490,
}

pytestmark = pytest.mark.skipif(not ROOT, reason="MTKD_GLUE names no glue_data folder")


SPLITS = [(task, split) for task in map(load_task, task_names()) for split in task.files]


@pytest.mark.parametrize(
    ("task", "split"), SPLITS, ids=[f"{task.name}/{split}" for task, split in SPLITS]
)
def test_every_row_of_an_official_file_is_read(task: Task, split: str):
    data = DataSettings(root=ROOT)
    if not has_split(task, split, data):
        pytest.skip("not in the folder")
    file = task.files[split]
    content = (Path(str(ROOT)) / file.path).read_bytes()
    lines = content.count(b"\n") + (not content.endswith(b"\n")) - file.header
    official = OFFICIAL_ROWS | {f"{task.name}/{part.split}": part.rows for part in task.submission}
    assert lines == official.get(f"{task.name}/{split}", lines)
    report = ReadReport()
    assert sum(1 for _ in read_examples(task, split, data, report)) + report.dropped == lines
    assert report.dropped < 0.001 * lines
