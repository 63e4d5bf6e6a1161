"""The table of an evaluation: a row a dev split, a column a model, and the change from baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtkd.metrics import glue_average, task_score
from mtkd.task import Task

_SHORT = {"accuracy": "acc", "f1": "F1", "matthews": "MCC", "pearson": "r", "spearman": "rho"}
LEGEND = (
    "Cells: 100 x the mean of the task's metrics (Pearson and Spearman for stsb, accuracy and F1 "
    "for mrpc and qqp); change: student less baseline. Epochs and candidates were chosen on these "
    "same rows."
)
Cells = list[list[str]]


def table_cells(content: Mapping[str, Any], tasks: Mapping[str, Task]) -> tuple[list[str], Cells]:
    """Return header and rows of the table.

    Each cell is 100 times the mean of the task's metrics, as the leaderboard takes it. Models that
    were not scored on every row have no average, so that averages can be compared.
    """
    models = content["models"]
    header = ["dev", "rows", *models]
    changes = {
        "change": ("student", "baseline"),
        "change finetuned": ("student_finetuned", "baseline_finetuned"),
    }
    changes = {name: (a, b) for name, (a, b) in changes.items() if a in models and b in models}
    header += list(changes)
    rows = []
    scores: dict[str, dict[str, float]] = {model: {} for model in models}
    for key, count in content["rows"].items():
        task = tasks[key.split("/")[0]]
        for model, found in models.items():
            if key in found:
                scores[model][key] = task_score(task, found[key])
        metrics = "/".join(_SHORT[metric] for metric in task.metrics)
        cells = [_percent(scores[model].get(key)) for model in models]
        deltas = [_change(scores[a].get(key), scores[b].get(key)) for a, b in changes.values()]
        rows.append([f"{key} ({metrics})", str(count), *cells, *deltas])
    full = [m for m in models if len(scores[m]) == len(content["rows"])]
    averages = {model: glue_average(scores[model]) for model in full}
    rows.append(
        ["average", "", *(_percent(averages.get(m)) for m in models),
         *(_change(averages.get(a), averages.get(b)) for a, b in changes.values())]
    )  # fmt: skip
    return header, rows


def markdown_table(content: Mapping[str, Any], tasks: Mapping[str, Task]) -> str:
    """Return the table as Markdown, followed by every single metric."""
    header, rows = table_cells(content, tasks)
    lines = [_line(header), _line(["---"] * len(header)), *map(_line, rows), ""]
    lines += [LEGEND, "", "| model | dev | metrics |", "|---|---|---|"]
    for model, found in content["models"].items():
        for key, metrics in found.items():
            text = ", ".join(f"{name} {100 * value:.2f}" for name, value in metrics.items())
            lines.append(_line([model, key, text]))
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _change(new: float | None, old: float | None) -> str:
    return "" if new is None or old is None else f"{round(100 * (new - old), 1) + 0.0:+.1f}"
