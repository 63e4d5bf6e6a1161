"""The table of a lifelong run's evaluation: a row a checkpoint, a column a corpus."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from mtkd.artifacts import check_files, read_manifest
from mtkd.errors import RunDirError

Table = tuple[list[str], list[list[str]]]  # header and rows

_SAME = {
    "domains": "corpora",
    "held out": "held-out text",
    "masks": "masks",
    "tasks": "tasks",
}
LEGEND = (
    "Perplexity of masked words on held-out text, with the same masks after each corpus; words are "
    "compared in nats a word, less loss being better. Tasks: 100 x the mean score of a corpus's "
    "tasks on dev, mean and deviation over seeds. average: of the last encoder; backward transfer: "
    "what earlier corpora gained since they were learnt; forgetting: what they lost since their "
    "best; adaptation: just after each; temporal generalisation: of corpora still to come."
)


def table_cells(content: Mapping[str, Any]) -> Table:
    """Return header and rows of the perplexities."""
    names = content["domains"]
    rows = [
        [f"after {name}", *(f"{math.exp(min(value, 700.0)):.2f}" for value in row)]
        for name, row in zip(names, content["mlm"], strict=True)
    ]
    return ["perplexity", *names], rows


def score_cells(content: Mapping[str, Any]) -> Table:
    """Return header and rows of the scores on tasks; no rows without any."""
    names, tasks = content["domains"], content.get("tasks", [])
    header = ["tasks", *(f"{n} ({', '.join(t)})" for n, t in zip(names, tasks, strict=False))]
    rows = [
        [f"after {name}", *(f"{100 * fmean(cell):.1f} +- {100 * _deviation(cell):.1f}"
                            for cell in row)]
        for name, row in zip(names, content.get("scores", []), strict=False)
    ]  # fmt: skip
    return header, rows


def kept_cells(content: Mapping[str, Any]) -> Table:
    """Return header and rows of what was kept: of words, and of tasks where there are some."""
    return [content["method"], *_names(content)], [
        [what, *_values(content, what)] for what in content["kept"]
    ]


def _names(content: Mapping[str, Any]) -> list[str]:
    return [name.replace("_", " ") for name in content["kept"]["words"]]


def _values(content: Mapping[str, Any], what: str) -> list[str]:
    """Return words in nats, and scores of tasks as percentages."""
    values = content["kept"][what].values()
    return [f"{v:+.3f}" if what == "words" else f"{100 * v:+.1f}" for v in values]


def _deviation(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def read_content(folder: Path) -> dict[str, Any]:
    """Return what a run's evaluation found.

    Raises: RunDirError: there is none, it is damaged, or it is of another kind of run.
    """
    place = folder / "evaluation"
    if (manifest := read_manifest(place)) is None:
        raise RunDirError(f"{folder}: has no finished evaluation; mtkd lifelong {folder} makes one")
    check_files(place, manifest)
    content = json.loads((place / "metrics.json").read_text("utf-8"))
    if "domains" not in content:
        raise RunDirError(f"{folder}: is not the run of a lifelong recipe")
    return content


def compared(contents: Mapping[str, Mapping[str, Any]]) -> list[Table]:
    """Return a table of words, and one of tasks where all runs have some: a row a run.

    Args: contents: of `read_content`, by run.
    Raises: RunDirError: the runs are of different streams, whose figures do not compare.
    """
    first = next(iter(contents.values()))
    for run, content in contents.items():
        for key, what in _SAME.items():
            if content.get(key) != first.get(key):
                raise RunDirError(f"{run}: has other {what} ({content.get(key)}) than the first "
                                  f"({first.get(key)}): their figures do not compare; give runs of "
                                  "one stream")  # fmt: skip
    found = []
    for what in ("words", "tasks"):
        if all(what in content["kept"] for content in contents.values()):
            header = ["run", "method", f"{what}: average", *_names(first)[1:]]
            rows = [[run, content["method"], *_values(content, what)]
                    for run, content in contents.items()]  # fmt: skip
            found.append((header, rows))
    return found


def tables(content: Mapping[str, Any]) -> list[Table]:
    """Return the tables that there is something in."""
    found = (table_cells(content), score_cells(content), kept_cells(content))
    return [(header, rows) for header, rows in found if rows]


def markdown_table(content: Mapping[str, Any]) -> str:
    """Return the tables as Markdown."""
    texts = []
    for header, rows in tables(content):
        lines = [header, ["---"] * len(header), *rows]
        texts.append("\n".join("| " + " | ".join(cells) + " |" for cells in lines))
    return "\n\n".join([*texts, LEGEND]) + "\n"
