"""The evaluation's table says what the metrics say."""

from __future__ import annotations

from typing import Any

from mtkd.stages.table import markdown_table, table_cells
from mtkd.task import Task, load_task

TASKS: dict[str, Task] = {name: load_task(name) for name in ("rte", "mrpc", "mnli")}
CONTENT: dict[str, Any] = {
    "rows": {"rte/dev": 10, "mrpc/dev": 20, "mnli/dev_matched": 30, "mnli/dev_mismatched": 30},
    "models": {
        "teacher": {"rte/dev": {"accuracy": 0.9}},
        "baseline": {
            "rte/dev": {"accuracy": 0.5},
            "mrpc/dev": {"accuracy": 0.7, "f1": 0.8},
            "mnli/dev_matched": {"accuracy": 0.6},
            "mnli/dev_mismatched": {"accuracy": 0.4},
        },
        "student": {
            "rte/dev": {"accuracy": 0.6},
            "mrpc/dev": {"accuracy": 0.7, "f1": 0.7},
            "mnli/dev_matched": {"accuracy": 0.8},
            "mnli/dev_mismatched": {"accuracy": 0.6},
        },
    },
}


def test_cells_are_means_of_a_tasks_metrics_and_changes_are_student_less_baseline() -> None:
    header, rows = table_cells(CONTENT, TASKS)
    assert header == ["dev", "rows", "teacher", "baseline", "student", "change"]
    assert rows[0] == ["rte/dev (acc)", "10", "90.0", "50.0", "60.0", "+10.0"]
    assert rows[1] == ["mrpc/dev (acc/F1)", "20", "", "75.0", "70.0", "-5.0"]


def test_the_average_counts_mnli_once_and_only_for_models_scored_on_every_row() -> None:
    _, rows = table_cells(CONTENT, TASKS)
    baseline = (50 + 75 + (60 + 40) / 2) / 3
    student = (60 + 70 + (80 + 60) / 2) / 3
    change = f"{student - baseline:+.1f}"
    assert rows[-1] == ["average", "", "", f"{baseline:.1f}", f"{student:.1f}", change]


def test_markdown_holds_the_table_and_every_metric() -> None:
    lines = markdown_table(CONTENT, TASKS).splitlines()
    assert lines[2] == "| rte/dev (acc) | 10 | 90.0 | 50.0 | 60.0 | +10.0 |"
    assert "| student | mrpc/dev | accuracy 70.00, f1 70.00 |" in lines
