"""The data that comes with mtkd stands in for the official files, down to their layout."""

import pytest

from mtkd.examples import has_split, read_examples
from mtkd.recipe.schema import DataSettings
from mtkd.task import Task, load_task, task_names

SAMPLE = DataSettings(source="sample")


@pytest.mark.parametrize("task", [load_task(name) for name in task_names()], ids=lambda t: t.name)
def test_every_split_of_every_task_is_read_without_losing_a_row(task: Task):
    assert all(has_split(task, split, SAMPLE) for split in set(task.splits) - {"unlabelled"})
    for split in (split for split in task.splits if has_split(task, split, SAMPLE)):
        examples = list(read_examples(task, split, SAMPLE))
        assert len({example.guid for example in examples}) == len(examples)
        labels = {example.label for example in examples}
        if not task.files[split].labelled:
            assert labels == {None}
        elif task.kind == "classification":
            assert labels == set(range(len(task.labels)))  # a class without a row teaches nothing
        else:
            assert len(labels) > 2
