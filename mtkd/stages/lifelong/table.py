"""The table of a lifelong run's evaluation: a row a checkpoint, a column a corpus."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtkd.artifacts import check_files, read_manifest

LEGEND = (
    "Perplexity of masked words on held-out text, with the same masks after each corpus. In nats a "
    "word, less loss being better: average, of the last encoder; backward transfer, what earlier "
    "corpora gained since they were learnt; forgetting, what they lost since their best; "
    "adaptation, just after each; temporal generalisation, of corpora still to come."
)


def table_cells(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the perplexities."""
    names = content["domains"]
    rows = [
        [f"after {name}", *(f"{math.exp(min(value, 700.0)):.2f}" for value in row)]
        for name, row in zip(names, content["mlm"], strict=True)
    ]
    return ["perplexity", *names], rows


def kept_cells(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return header and the one row of what was kept."""
    kept = content["kept"]
    header = ["method", *(name.replace("_", " ") for name in kept)]
    return header, [[content["method"], *(f"{value:+.3f}" for value in kept.values())]]


def read_content(folder: Path) -> dict[str, Any]:
    """Return what a run's evaluation found.

    Raises: RunDirError: it is damaged.
    """
    place = folder / "evaluation"
    if (manifest := read_manifest(place)) is not None:
        check_files(place, manifest)
    return json.loads((place / "metrics.json").read_text("utf-8"))


def markdown_table(content: Mapping[str, Any]) -> str:
    """Return both tables as Markdown."""
    texts = []
    for header, rows in (table_cells(content), kept_cells(content)):
        lines = [header, ["---"] * len(header), *rows]
        texts.append("\n".join("| " + " | ".join(cells) + " |" for cells in lines))
    return "\n\n".join([*texts, LEGEND]) + "\n"
