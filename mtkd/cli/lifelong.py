"""lifelong-compare: what several lifelong runs have kept, side by side."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from mtkd.cli.app import Json, app
from mtkd.terminal import print_table


@app.command("lifelong-compare")
def lifelong_compare(
    runs: Annotated[list[Path], typer.Argument(help="Run directories of lifelong recipes.")],
    plot: Annotated[Path | None, typer.Option(help="Draw into this folder, PNG and SVG.")] = None,
    as_json: Json = False,
) -> None:
    """Compare what lifelong runs of one stream have kept: of words, and of tasks."""
    from mtkd.stages.lifelong.table import LEGEND, compared, read_content

    contents = {str(run): read_content(run) for run in runs}
    found = compared(contents)
    if plot is not None:
        from mtkd.inspection.plots.stream import plot_streams

        for path in plot_streams(contents, plot):
            print(path, file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps({run: content["kept"] for run, content in contents.items()}, indent=2))
        return
    for header, rows in found:
        print_table(header, rows)
    print(LEGEND)
