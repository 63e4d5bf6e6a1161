"""inspect and import-soft-labels."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtkd.cli.app import Json, app
from mtkd.errors import UserError
from mtkd.terminal import log_to_stderr, print_block

if TYPE_CHECKING:
    from mtkd.inspection import Selection


Stores = Annotated[
    list[Path],
    typer.Argument(metavar="PATH [OTHER]", help="A store, a folder of stores, or a run; or two."),
]
Data = Annotated[
    str | None,
    typer.Option(help="A run directory, 'sample' or a glue_data folder: where the texts are."),
]


@app.command()
def inspect(
    paths: Stores,
    rows: Annotated[
        str | None,
        typer.Option(
            help="Show rows: top-disagreement, top-label-errors, random, or guids "
            "separated by commas."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many rows.")] = 10,
    seed: Annotated[int, typer.Option(help="Of random rows.")] = 1,
    data: Data = None,
    as_json: Json = False,
    csv: Annotated[
        Path | None, typer.Option(help="Write the rows with their soft labels: a file or folder.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw into this folder, PNG and SVG.")] = None,
) -> None:
    """Say what soft labels hold: how right, how sure and how much of one mind the teachers are."""
    log_to_stderr(logging.INFO)
    from mtkd.inspection import compare_stores, comparison_blocks, find_stores, guids_by_store

    if len(paths) > 2:
        raise UserError(f"inspect takes one path, or two stores to compare; found {len(paths)}")
    if len(paths) == 2:
        pairs = [find_stores(path) for path in paths]
        if any(len(found) != 1 for found in pairs) or rows or csv or plot:
            raise UserError("to compare, name two stores (two .parquet files), without --rows, "
                            "--csv or --plot")  # fmt: skip
        comparison = compare_stores(pairs[0][0], pairs[1][0], "compare")
        if as_json:
            print(json.dumps(comparison.to_json(), indent=2))
        else:
            for block in comparison_blocks(comparison):
                print_block(*block)
        return
    stores = find_stores(paths[0])
    wanted: dict[Path, str | None] = dict.fromkeys(stores, rows)
    if rows is not None and "/" in rows:  # guids: of a run's stores only theirs are looked into
        wanted = {s: ",".join(g) for s, g in guids_by_store(stores, rows.split(",")).items()}
    stores = list(wanted)
    content = [_look(s, which, limit, seed, data, quiet=as_json) for s, which in wanted.items()]
    if as_json:
        print(json.dumps([found for found, _ in content], indent=2))
    if csv is not None:
        _write_csv(csv, stores, [chosen for _, chosen in content], rows is not None)
    if plot is not None:
        _plot(plot, stores)


def _look(
    store: Path,
    rows: str | None,
    limit: int,
    seed: int,
    data: str | None,
    *,
    quiet: bool,
) -> tuple[dict[str, Any], tuple[Selection, dict[str, tuple[str, ...]]] | None]:
    """Print a store's report, or some of its rows; return it as JSON, and the rows chosen."""
    from mtkd.inspection import (
        choose_rows,
        default_data,
        inspect_store,
        label_errors,
        report_blocks,
        rows_of,
        rows_table,
        texts_of,
    )
    from mtkd.soft_labels import read_info

    info = read_info(store)
    title = f"{info.task}/{info.split}"
    if rows is None:
        report = inspect_store(store, title)
        doubtful = label_errors(store, 1, title) if report.rows_with_gold else None
        if not quiet:
            for block in report_blocks(report):
                print_block(*block)
            if doubtful is not None:
                print(f"{title}: {doubtful.total:,} likely label errors of {doubtful.gold_rows:,} "
                      "rows with gold; see them with --rows top-label-errors\n")  # fmt: skip
        found = report.to_json()
        found["label_errors"] = doubtful.total if doubtful is not None else None
        return found, None
    chosen = choose_rows(store, rows, limit, seed, title)
    source = data or default_data(store)
    guids = chosen.chunk.guids.to_pylist()
    texts = texts_of(source, chosen.info, guids) if source is not None else {}
    found_rows = rows_of(chosen, texts)
    if not quiet:
        heading = f"{title}: {chosen.heading}"
        if source is None:
            heading += " (texts are not in a store: name a run or data with --data)"
        print_block(*rows_table(heading, found_rows))
    return {
        "path": str(store),
        "heading": chosen.heading,
        "rows": [row.to_json() for row in found_rows],
    }, (chosen, texts)


def _write_csv(place: Path, stores: list[Path], content: list[Any], chosen: bool) -> None:
    from mtkd.inspection import write_csv, write_selections_csv

    if chosen:
        texts = {guid: text for _, found in content for guid, text in found.items()}
        written = write_selections_csv(place, [selection for selection, _ in content], texts)
    else:
        written = write_csv(place, stores, "csv")
    for path in written:
        logging.getLogger(__name__).info("wrote %s", path)


def _plot(folder: Path, stores: list[Path]) -> None:
    from mtkd.inspection.plots import plot_store

    for store in stores:
        for path in plot_store(store, folder, f"plot {store.parent.name}/{store.stem}"):
            logging.getLogger(__name__).info("wrote %s", path)


@app.command()
def import_soft_labels(
    file: Annotated[Path, typer.Argument(help="CSV, JSON lines, Parquet or .npy.")],
    task: Annotated[str, typer.Option(help="A task's name, or a path to its card.")],
    data: Annotated[
        str, typer.Option(help="The rows: a run directory, 'sample' or a glue_data folder.")
    ],
    split: Annotated[str, typer.Option(help="The split that they are of.")] = "train",
    labels: Annotated[
        str | None,
        typer.Option(help="The classes in the columns' order, separated by commas."),
    ] = None,
    values: Annotated[str | None, typer.Option(help="What they are: probs or logits.")] = None,
    guids: Annotated[
        Path | None, typer.Option(help="For .npy: a text file, one guid a line.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the teacher.")] = None,
    to: Annotated[Path | None, typer.Option(help="Where to write the store.")] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Rows may be without a soft label.")
    ] = False,
    drop_extra: Annotated[
        bool, typer.Option("--drop-extra", help="Leave out soft labels of rows not in the data.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a store of soft labels from elsewhere, checked as mtkd's own are."""
    log_to_stderr(logging.INFO)
    from mtkd.stages.bring_in import import_soft_labels as bring_in

    order = None if labels is None else [label.strip() for label in labels.split(",")]
    place, info = bring_in(file, task, data, split=split, labels=order, values=values, guids=guids,
                           name=name, to=to, partial=partial, drop_extra=drop_extra)  # fmt: skip
    if as_json:
        content = json.loads(info.to_json())
        print(json.dumps({"path": str(place), **content}, indent=2))
        return
    print(
        f"{place}: {info.rows:,} rows of {info.task}/{info.split}, {len(info.teachers)} teacher(s)"
    )
    print(f"Look at it: mtkd inspect {place}\nUse it: soft_labels.imported.{info.task}={place}")
