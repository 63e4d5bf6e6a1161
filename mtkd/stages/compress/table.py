"""The table of a compress run's evaluation: a row a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_DIGITS = {"perplexity": 2, "divergence": 3, "cosine": 3}
_MEANING = {
    "perplexity": "of masked tokens",
    "divergence": "KL of the model's words there from the teacher's, in nats",
    "cosine": "of last hidden states with the teacher's",
}
_TIME = "ms: median of a forward pass of the encoder, by rows in a batch"


def table_cells(
    content: Mapping[str, Any], speed: Mapping[str, Mapping[str, float]]
) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table.

    Args: content: of metrics.json. speed: milliseconds by model and batch, of speed.json.
    """
    batches = list(next(iter(speed.values())))
    models = content["models"]
    scores = [name for name in _DIGITS if any(name in found for found in models.values())]
    header = ["model", "parameters", *scores, *(f"ms, {batch}" for batch in batches)]
    rows = [
        [
            name,
            f"{found['parameters'] / 1e6:.1f}M",
            *(f"{found[score]:.{_DIGITS[score]}f}" if score in found else "" for score in scores),
            *(f"{speed[name][batch]:.1f}" for batch in batches),
        ]
        for name, found in models.items()
    ]
    return header, rows


def legend(content: Mapping[str, Any], header: Sequence[str]) -> str:
    """Return what the columns of a table mean."""
    found = [f"{name}: {meaning}" for name, meaning in _MEANING.items() if name in header]
    if found:
        rows = f"On {content['rows']} rows of held-out text, with the same masks for all. "
        found[0] = rows + found[0]
    return "; ".join([*found, _TIME]) + "."


def read_table(folder: Path) -> tuple[list[str], list[list[str]], str]:
    """Return header and rows of the table of a run directory, and what its columns mean."""
    place = folder / "evaluation"
    content, speed = (
        json.loads((place / name).read_text("utf-8")) for name in ("metrics.json", "speed.json")
    )
    header, rows = table_cells(content, speed["models"])
    return header, rows, legend(content, header)


def markdown_table(content: Mapping[str, Any], speed: Mapping[str, Mapping[str, float]]) -> str:
    """Return the table as Markdown."""
    header, rows = table_cells(content, speed)
    lines = [header, ["---"] * len(header), *rows]
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return f"{text}\n\n{legend(content, header)}\n"
