"""The commands: arguments, overrides, exit codes; what they do stands below."""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtkd import __version__
from mtkd.errors import Interrupted, MtkdError, RunDirError
from mtkd.terminal import log_to_stderr, print_table

if TYPE_CHECKING:
    from mtkd.recipe import GlueRecipe
    from mtkd.stages import Run

app = typer.Typer(
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Multi-task knowledge distillation: data, teachers, soft labels, student, submission. "
    "A stage's command also makes whatever the stage needs that is missing or stale.",
)

_COMMANDS = {  # and the stage that each ends with
    "run": ("submit", "Run the whole pipeline; what is done already is not done again."),
    "prepare": ("prepare", "Read every task's rows and tokenise them."),
    "refine": ("refine", "Train every candidate teacher on all tasks at once."),
    "select": ("select", "Keep the candidates that score best on dev."),
    "teach": ("teach", "Fine-tune the kept candidates on each task with soft labels."),
    "soften": ("soften", "Write the teachers' averaged predictions: the soft labels."),
    "distill": ("distill", "Train the student on soft and gold labels, and a baseline."),
    "submit": ("submit", "Write the GLUE submission."),
}

Recipe = Annotated[str, typer.Argument(help="A built-in recipe, a YAML file, or a run directory.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Recipe keys to set, e.g. training.epochs=3."),
]
RunDir = Annotated[
    Path | None, typer.Option(help="Where the run is kept.", show_default="runs/<recipe name>")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")]
Rerun = Annotated[bool, typer.Option("--rerun", help="Redo stale stages even if they are dear.")]
CacheDir = Annotated[Path | None, typer.Option(help="Share finished stages between runs.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


def main() -> None:
    """Run the command line and exit with the code that its outcome has."""
    try:
        app()
    except MtkdError as error:
        if isinstance(error, Interrupted):
            command = shlex.join(["mtkd", *sys.argv[1:]])
            print(f"{error}. Go on with: {command}", file=sys.stderr)
        else:
            print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _add_command(name: str, last: str, text: str) -> None:
    def command(
        recipe: Recipe,
        overrides: Overrides = None,
        run_dir: RunDir = None,
        dry_run: DryRun = False,
        rerun: Rerun = False,
        cache_dir: CacheDir = None,
    ) -> None:
        _carry_out(last, recipe, overrides, run_dir, dry_run, rerun, cache_dir)

    app.command(name, help=text)(command)


for _name, (_last, _text) in _COMMANDS.items():
    _add_command(_name, _last, _text)


@app.command(help="Score teachers, ensemble, baseline and student on dev.")
def evaluate(
    recipe: Recipe,
    overrides: Overrides = None,
    run_dir: RunDir = None,
    dry_run: DryRun = False,
    rerun: Rerun = False,
    cache_dir: CacheDir = None,
    as_json: Json = False,
) -> None:
    """Score all models; with --json print evaluation/metrics.json."""
    folder = _carry_out("evaluate", recipe, overrides, run_dir, dry_run, rerun, cache_dir, as_json)
    if as_json and not dry_run and _is_main_process():
        print((folder / "evaluation" / "metrics.json").read_text("utf-8"), end="")


@app.callback()
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command()
def status(
    recipe: Recipe, overrides: Overrides = None, run_dir: RunDir = None, as_json: Json = False
) -> None:
    """Say of each stage whether it is done, stale (and why) or missing."""
    checked, folder = _load(recipe, overrides, run_dir)
    opened = _open(checked, folder)
    from mtkd.pipeline import statuses

    found = statuses(opened)
    if as_json:
        print(json.dumps({
            stage: [{"artefact": s.unit.place, "state": s.state, "why": s.why,
                     "seconds": s.seconds} for s in parts]
            for stage, parts in found.items()
        }, indent=2))  # fmt: skip
        return
    print_table(
        ["stage", "artefact", "state", "why"],
        [[stage, s.unit.place, s.state, s.why] for stage, parts in found.items() for s in parts],
    )


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
            print(problem)
        print(_verdict(report))
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
    checked, folder = _load(str(run_dir), None, None)
    opened = _open(checked, folder)
    from mtkd.stages.export import export_task

    place = export_task(opened, task, to, model)
    print(f"{place} -> {to}")


@app.command()
def tasks() -> None:
    """List the tasks that come with mtkd."""
    from mtkd.task import load_task, task_names

    cards = [load_task(name) for name in task_names()]
    print_table(
        ["task", "kind", "labels", "metrics", "title"],
        [[c.name, c.kind, ", ".join(c.labels), ", ".join(c.metrics), c.title] for c in cards],
    )


@app.command()
def recipes() -> None:
    """List the recipes that come with mtkd."""
    from mtkd.recipe import load_recipe, recipe_names

    found = [load_recipe(name) for name in recipe_names()]
    print_table(["recipe", "kind", "description"], [[r.name, r.kind, r.description] for r in found])


def _carry_out(
    stage: str,
    source: str,
    overrides: list[str] | None,
    run_dir: Path | None,
    dry_run: bool,
    rerun: bool,
    cache: Path | None,
    quiet: bool = False,
) -> Path:
    checked, folder = _load(source, overrides, run_dir)
    opened = _open(checked, folder)
    from mtkd import pipeline

    if dry_run:
        header, rows = pipeline.forecast(opened, stage)
        print_table(header, rows)
        return folder
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # a cluster's Ctrl-C
    try:
        pipeline.carry_out(opened, checked, stage, rerun=rerun, cache=cache)
    except KeyboardInterrupt as error:  # between trainings, which save by themselves
        raise Interrupted("stopped; what was finished is kept") from error
    finally:
        signal.signal(signal.SIGTERM, before)
    if stage in {"evaluate", "submit"} and not quiet and _is_main_process():
        _print_evaluation(opened, with_submission=stage == "submit")
    return folder


def _load(
    source: str, overrides: list[str] | None, run_dir: Path | None
) -> tuple[GlueRecipe, Path]:
    from mtkd.recipe import RUN_RECIPE, load_recipe

    log_to_stderr(logging.INFO if _is_main_process() else logging.ERROR)
    checked = load_recipe(source, overrides or ())
    if run_dir is None:
        is_run = (Path(source) / RUN_RECIPE).is_file()
        run_dir = Path(source) if is_run else Path("runs") / checked.name
    return checked, run_dir


def _open(checked: GlueRecipe, folder: Path) -> Run:
    from mtkd.pipeline import open_run

    return open_run(checked, folder)


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


def _print_evaluation(opened: Run, with_submission: bool) -> None:
    from mtkd.stages.table import LEGEND, table_cells

    content = json.loads((opened.folder / "evaluation" / "metrics.json").read_text("utf-8"))
    print_table(*table_cells(content, opened.tasks))
    print(f"{LEGEND}\nEvery metric: {opened.folder / 'evaluation' / 'table.md'}")
    if with_submission and (archive := opened.folder / "submission.zip").is_file():
        print(f"Submission: {archive}")


def _is_main_process() -> bool:
    return int(os.environ.get("RANK", "0")) == 0
