"""validate and export: what a user takes away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mtkd.cli.app import Json, app, load, open_
from mtkd.errors import RunDirError
from mtkd.shown import printable
from mtkd.terminal import print_table


@app.command()
def validate(
    path: Annotated[Path, typer.Argument(help="A submission's folder or zip.")],
    data: Annotated[
        str | None,
        typer.Option(
            help="'sample' or a glue_data folder: compare with its test files, not with "
            "the official row counts."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a submission as the GLUE server would: names, header, rows, indices, labels."""
    from mtkd.recipe import RUN_RECIPE
    from mtkd.submission import validate as check

    if (path / RUN_RECIPE).is_file():
        raise RunDirError(f"{path}: a run directory; did you mean {path / 'submission.zip'}?")
    report = check(path, _test_ids(data) if data is not None else None)
    if as_json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print_table(
            ["file", "rows", "expected", "status"],
            [[f.file, str(f.rows), str(f.expected), f.status] for f in report.files],
        )
        for problem in report.problems:
            print(printable(problem))
        print(printable(_verdict(report)))
        if data is None and any(0 < f.rows < f.expected for f in report.files):
            print("Rows are counted against the official test sets; for the sample data or capped "
                  "rows compare with test files: --data sample, or --data glue_data")  # fmt: skip
    if not report.valid:
        raise typer.Exit(2)


@app.command()
def export(
    run_dir: Annotated[Path, typer.Argument(help="A run directory.")],
    task: Annotated[str, typer.Option(help="The task whose head is exported.")],
    to: Annotated[Path, typer.Option(help="A directory that does not exist yet.")],
    model: Annotated[
        str | None, typer.Option(help="student, baseline, ... (default: as for submissions).")
    ] = None,
) -> None:
    """Write one task's model as a plain transformers sequence-classification checkpoint."""
    checked, folder = load(str(run_dir), None, None)
    opened = open_(checked, folder)
    from mtkd.pipeline.disk import disk_errors_explained
    from mtkd.stages import Run
    from mtkd.stages.export import export_task

    if not isinstance(opened, Run):
        raise RunDirError(f"{folder}: a run of kind {checked.kind} has no task to export; its "
                          f"student is a checkpoint of transformers already: {folder / 'student'}"
                          )  # fmt: skip

    with disk_errors_explained(to):
        place = export_task(opened, task, to, model)
    print(f"{place} -> {to}")


def _test_ids(data: str) -> dict[str, list[str]]:
    """Return the ids of each server file that `data` has a test file for."""
    from mtkd.examples import has_split, read_examples
    from mtkd.recipe import DataSettings
    from mtkd.task import load_task, task_names

    if data != "sample" and not Path(data).is_dir():
        raise RunDirError(f"--data {data}: expected 'sample' or a glue_data folder")
    settings = DataSettings(source="sample") if data == "sample" else DataSettings(root=data)
    return {
        part.file: [e.guid.split("/", 2)[2] for e in read_examples(task, part.split, settings)]
        for task in map(load_task, task_names())
        for part in task.submission
        if has_split(task, part.split, settings)
    }


def _verdict(report: Any) -> str:
    if not report.valid:
        return f"{report.path}: the server would refuse it: {len(report.problems)} problem(s)"
    if report.complete:
        return f"{report.path}: valid and complete"
    lacking = [f"without {', '.join(report.missing)}"] if report.missing else []
    if short := [f.file for f in report.files if f.status == "partial"]:
        lacking.append(f"with fewer rows than the official test sets in {', '.join(short)}")
    return f"{report.path}: valid as far as it goes; partial, {' and '.join(lacking)}"
