"""The example of the README: one card and files of one's own, no code."""

import pytest

from mtkd.examples import read_examples
from mtkd.recipe.schema import DataSettings
from mtkd.task import load_task

CARD = """\
name: tickets
title: Is a support ticket urgent?
kind: classification
texts: [subject, body]
label: urgency
labels: [can_wait, urgent]
file_labels: ["no", "yes"]       # how the files write them, in the same order
positive: urgent                 # the class that F1 is of
metrics: [accuracy, f1]
files:
  train: {path: tickets/train.csv, id: ticket}
  dev: {path: tickets/dev.tsv, columns: {urgency: urgent?}}
  test: {path: tickets/new.jsonl, id: ticket, labelled: false}
"""
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
