"""Results on disk: one JSON a run, and the same as Markdown.

Each benchmark's section is written when it is done, so that an interrupted run keeps what it has.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.harness import Section, Table
from mtkd.artifacts import write_file

_STARTED = datetime.now(UTC)


def write_section(
    folder: Path, name: str, section: Section, seconds: float, about: dict[str, Any]
) -> Path:
    """Put a section into this run's results; return the Markdown file.

    Args: about: machine, versions, command, rows. seconds: that the benchmark took in all.
    """
    path = folder / f"bench-{_STARTED:%Y-%m-%d-%H%M}.json"
    sections = json.loads(path.read_text("utf-8")) if path.exists() else {}
    content = dataclasses.asdict(section)
    for target, found in zip(content["targets"], section.targets, strict=True):
        target["met"] = found.met
    sections[name] = {**content, "seconds": round(seconds, 1), "about": about}
    write_file(path, (json.dumps(sections, indent=2) + "\n").encode())
    markdown = path.with_suffix(".md")
    write_file(markdown, (to_markdown(sections) + "\n").encode())
    return markdown


def to_markdown(sections: dict[str, Any]) -> str:
    """Return targets first, then the tables of every section, then what they were measured on."""
    lines = ["# Benchmarks", "", *_targets(sections)]
    for section in sections.values():
        lines += [f"## {section['title']}", "", section["note"], ""]
        for table in section["tables"]:
            lines += [table["title"], ""] if table["title"] else []
            lines += [*_lines(table["columns"], table["rows"]), ""]
    lines += ["## Measured on", ""]
    abouts: dict[str, list[str]] = {}
    for name, section in sections.items():
        seconds = f"{name} ({section['seconds']:.0f} s)"
        text = "; ".join(f"{key} {value}" for key, value in section["about"].items())
        abouts.setdefault(text, []).append(seconds)
    lines += [f"{', '.join(names)}: {text}.\n" for text, names in abouts.items()]
    return "\n".join(lines).rstrip()


def _targets(sections: dict[str, Any]) -> list[str]:
    rows = []
    for name, section in sections.items():
        for target in section["targets"]:
            sign = ">=" if target["at_least"] else "<="
            bound = f"{sign} {target['bound']:g} {target['unit']}".strip()
            found = f"{target['value']:.2f} {target['unit']}".strip()
            rows.append([name, target["what"], found, bound, "yes" if target["met"] else "NO"])
    columns = ["benchmark", "figure", "found", "target", "met"]
    return [*_lines(columns, rows), ""] if rows else []


def table_lines(table: Table) -> list[str]:
    """Return a table as lines of Markdown."""
    return _lines(table.columns, table.rows)


def _lines(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows),
    ]
