"""The example of the README: one card and files of one's own, no code."""

import re
from pathlib import Path

import pytest

from mtkd.examples import read_examples
from mtkd.recipe.schema import DataSettings
from mtkd.task import load_task

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
CARD = next(block for block in re.findall(r"```yaml\n(.*?)```", README, re.S) if "tickets" in block)
FILES = {
    "train.csv": 'ticket,subject,body,urgency\nA1,"Down, again","All of it\nis down",yes\n',
    "dev.tsv": 'body\tsubject\turgent?\nA 6" screen\tHow large?\tno\n',
    "new.jsonl": '{"ticket": 7, "subject": "Help", "body": "Now"}\n',
}


@pytest.fixture
def task(tmp_path):
    (tmp_path / "tickets").mkdir()
    for name, content in FILES.items():
        (tmp_path / "tickets" / name).write_text(content)
    (tmp_path / "tickets.yaml").write_text(CARD)
    return load_task(str(tmp_path / "tickets.yaml"))


@pytest.mark.parametrize(
    ("split", "guid", "texts", "label"),
    [
        ("train", "tickets/train/A1", ("Down, again", "All of it\nis down"), 1),
        ("dev", "tickets/dev/0", ("How large?", 'A 6" screen'), 0),
        ("test", "tickets/test/7", ("Help", "Now"), None),
    ],
)
def test_a_card_and_its_files_are_all_that_a_task_needs(task, split, guid, texts, label):
    (example,) = read_examples(task, split, DataSettings())
    assert (example.guid, example.texts, example.label) == (guid, texts, label)
