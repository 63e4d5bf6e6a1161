"""The table of a lifelong run's evaluation: a row a checkpoint, a column a corpus."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from mtkd.artifacts import check_files, read_manifest

LEGEND = (
    "Perplexity of masked words on held-out text, with the same masks after each corpus; words are "
    "compared in nats a word, less loss being better. Tasks: 100 x the mean score of a corpus's "
    "tasks on dev, mean and deviation over seeds. average: of the last encoder; backward transfer: "
    "what earlier corpora gained since they were learnt; forgetting: what they lost since their "
    "best; adaptation: just after each; temporal generalisation: of corpora still to come."
)


def table_cells(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the perplexities."""
    names = content["domains"]
    rows = [
        [f"after {name}", *(f"{math.exp(min(value, 700.0)):.2f}" for value in row)]
        for name, row in zip(names, content["mlm"], strict=True)
    ]
    return ["perplexity", *names], rows


def score_cells(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the scores on tasks; no rows without any."""
    names, tasks = content["domains"], content.get("tasks", [])
    header = ["tasks", *(f"{n} ({', '.join(t)})" for n, t in zip(names, tasks, strict=False))]
    rows = [
        [f"after {name}", *(f"{100 * fmean(cell):.1f} +- {100 * _deviation(cell):.1f}"
                            for cell in row)]
        for name, row in zip(names, content.get("scores", []), strict=False)
    ]  # fmt: skip
    return header, rows


def kept_cells(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of what was kept: of words, and of tasks where there are some."""
    kept = content["kept"]
    header = [content["method"], *(name.replace("_", " ") for name in kept["words"])]
    shown = {"words": 1, "tasks": 100}
    rows = [[what, *(f"{shown[what] * value:+.{3 if what == 'words' else 1}f}"
                     for value in found.values())] for what, found in kept.items()]  # fmt: skip
    return header, rows


def _deviation(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def read_content(folder: Path) -> dict[str, Any]:
    """Return what a run's evaluation found.

    Raises: RunDirError: it is damaged.
    """
    place = folder / "evaluation"
    if (manifest := read_manifest(place)) is not None:
        check_files(place, manifest)
    return json.loads((place / "metrics.json").read_text("utf-8"))


def tables(content: Mapping[str, Any]) -> list[tuple[list[str], list[list[str]]]]:
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
