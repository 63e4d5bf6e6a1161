from importlib.resources import files

import pytest

from mtkd.task import Task, load_task, task_names

OFFICIAL_ROWS = {  # of the test sets
    "CoLA.tsv": 1063,
    "SST-2.tsv": 1821,
    "MRPC.tsv": 1725,
    "STS-B.tsv": 1379,
    "QQP.tsv": 390965,
    "MNLI-m.tsv": 9796,
    "MNLI-mm.tsv": 9847,
    "QNLI.tsv": 5463,
    "RTE.tsv": 3000,
    "WNLI.tsv": 146,
    "AX.tsv": 1104,
}
HUB_LABELS = {  # the order of the classes in nyu-mll/glue
    "cola": ("unacceptable", "acceptable"),
    "sst2": ("negative", "positive"),
    "mrpc": ("not_equivalent", "equivalent"),
    "stsb": (),
    "qqp": ("not_duplicate", "duplicate"),
    "mnli": ("entailment", "neutral", "contradiction"),
    "ax": ("entailment", "neutral", "contradiction"),
    "qnli": ("entailment", "not_entailment"),
    "rte": ("entailment", "not_entailment"),
    "wnli": ("not_entailment", "entailment"),
}
METRICS = {
    "cola": ("matthews",),
    "mrpc": ("accuracy", "f1"),
    "qqp": ("accuracy", "f1"),
    "stsb": ("pearson", "spearman"),
    "ax": ("matthews",),
}

TASKS = [load_task(name) for name in task_names()]
every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)


def test_there_are_the_ten_tasks_of_glue():
    assert task_names() == sorted(HUB_LABELS)
    assert {part.file: part.rows for task in TASKS for part in task.submission} == OFFICIAL_ROWS


@every_task
def test_a_card_is_named_like_its_file_and_opens_with_its_source(task: Task):
    text = (files("mtkd.tasks") / f"{task.name}.yaml").read_text("utf-8")
    assert f"\nname: {task.name}\n" in text
    assert text.startswith("# ")


@every_task
def test_classes_stand_in_the_hubs_order_and_metrics_are_the_benchmarks(task: Task):
    assert task.labels == HUB_LABELS[task.name]
    assert task.metrics == METRICS.get(task.name, ("accuracy",))
    assert task.num_outputs == (len(task.labels) if task.labels else 1)


@every_task
def test_submissions_say_words_where_the_server_wants_words_and_digits_elsewhere(task: Task):
    words = task.name in {"mnli", "ax", "qnli", "rte"}
    digits = () if task.kind == "regression" else ("0", "1")
    for part in task.submission:
        assert part.labels == (task.labels if words else digits)


@every_task
def test_files_and_the_hub_have_the_same_splits_but_for_unlabelled_text(task: Task):
    assert task.hub is not None
    assert set(task.files) - {"unlabelled"} == set(task.hub.splits)
    assert task.test_splits == tuple(part.split for part in task.submission)
    for split, file in task.files.items():
        assert file.labelled == split.startswith(("train", "dev"))


def test_splits_go_by_their_prefix():
    mnli = load_task("mnli")
    assert mnli.train_splits == ("train",)
    assert mnli.dev_splits == ("dev_matched", "dev_mismatched")
    assert mnli.test_splits == ("test_matched", "test_mismatched")
    assert "unlabelled" in mnli.splits
    ax = load_task("ax")
    assert (ax.train_splits, ax.dev_splits, ax.head_of) == ((), (), "mnli")


@pytest.mark.parametrize(
    ("name", "dropout"), [("cola", 0.05), ("mnli", 0.3), ("rte", 0.1), ("stsb", 0.1)]
)
def test_heads_are_complete_with_the_papers_dropout(name: str, dropout: float):
    head = load_task(name).head
    assert head.model_dump() == {
        "type": "linear",
        "pooling": "first",
        "dropout": dropout,
        "steps": 5,
        "step_dropout": 0.1,
    }
