"""run, the command of each stage, and status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from mtkd.cli.app import (
    CacheDir,
    DryRun,
    Json,
    Overrides,
    Recipe,
    Rerun,
    RunDir,
    app,
    is_main_process,
    load,
    open_,
)
from mtkd.errors import RecipeError
from mtkd.signals import stopped_by_signals
from mtkd.terminal import print_table

if TYPE_CHECKING:
    from mtkd.stages import AnyRun

_COMMANDS: dict[str, tuple[str | None, str]] = {  # and the stage that each ends with
    "run": (None, "Run the whole pipeline; what is done already is not done again."),
    "compress": (None, "Distil an encoder before any task: a recipe of kind compress."),
    "lifelong": (None, "Let an encoder learn corpora in turn: a recipe of kind lifelong."),
    "prepare": ("prepare", "Read every task's rows and tokenise them."),
    "refine": ("refine", "Train every candidate teacher on all tasks at once."),
    "select": ("select", "Keep the candidates that score best on dev."),
    "teach": ("teach", "Fine-tune the kept candidates on each task with soft labels."),
    "soften": ("soften", "Write the teachers' averaged predictions: the soft labels."),
    "distill": ("distill", "Train the student on soft and gold labels, and a baseline."),
    "submit": ("submit", "Write the GLUE submission."),
    "corpus": ("corpus", "Of a compress recipe: cut texts to rows of tokens."),
    "init-student": ("init-student", "Of a compress recipe: make the student of its teacher."),
    "distill-encoder": ("distill-encoder", "Of a compress recipe: train the student on text."),
    "corpora": ("corpora", "Of a lifelong recipe: cut each corpus's texts to rows of tokens."),
    "adapt": ("adapt", "Of a lifelong recipe: train the encoder on one corpus after another."),
    "finetune": ("finetune", "Of a lifelong recipe: fine-tune each checkpoint on tasks."),
}


def _add_command(name: str, last: str | None, text: str) -> None:
    def command(
        recipe: Recipe,
        overrides: Overrides = None,
        run_dir: RunDir = None,
        dry_run: DryRun = False,
        rerun: Rerun = False,
        cache_dir: CacheDir = None,
    ) -> None:
        kind = name if name in {"compress", "lifelong"} else None
        _carry_out(last, recipe, overrides, run_dir, dry_run, rerun, cache_dir, kind=kind)

    app.command(name, help=text)(command)


for _name, (_last, _text) in _COMMANDS.items():
    _add_command(_name, _last, _text)


@app.command(help="Score teachers, ensemble, baseline and student on dev; or a smaller encoder.")
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
    if as_json and not dry_run and is_main_process():
        from mtkd.stages.evaluate import read_metrics

        print(read_metrics(folder), end="")


@app.command()
def status(
    recipe: Recipe, overrides: Overrides = None, run_dir: RunDir = None, as_json: Json = False
) -> None:
    """Say of each stage whether it is done, stale or damaged (and why), or missing."""
    checked, folder = load(recipe, overrides, run_dir)
    from mtkd.pipeline import first_run, statuses

    first = first_run(checked, folder)
    opened = open_(checked, folder)
    found = statuses(opened)
    if first is not None and first.undone:
        found = {"student.init": first.undone, **found}
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


def _carry_out(
    stage: str | None,
    source: str,
    overrides: list[str] | None,
    run_dir: Path | None,
    dry_run: bool,
    rerun: bool,
    cache: Path | None,
    quiet: bool = False,
    kind: str | None = None,
) -> Path:
    with stopped_by_signals():
        checked, folder = load(source, overrides, run_dir)
        if kind not in {None, checked.kind}:
            raise RecipeError(f"{source}: kind: expected {kind}, found {checked.kind}; mtkd run "
                              "carries out recipes of any kind")  # fmt: skip
        from mtkd import pipeline

        first = pipeline.first_run(checked, folder)
        if first is not None and first.undone:
            if not rerun:
                first.refuse_stale()
            first.check_start(checked, folder)
            if not dry_run:
                pipeline.carry_out(first.run, first.recipe, None, rerun=rerun, cache=cache)
            else:
                print(f"student.init: {first.run.folder} comes first:")
                _print_forecast(first.run, None)
                if not first.is_made:
                    print(f"Then {checked.name}, which --dry-run can look at once that is made.")
                    return folder
        opened = open_(checked, folder)
        if dry_run:
            _print_forecast(opened, stage)
            return folder
        pipeline.carry_out(opened, checked, stage, rerun=rerun, cache=cache)
    if stage in {None, "evaluate", "submit"} and not quiet and is_main_process():
        _print_evaluation(opened, with_submission=stage != "evaluate")
    return folder


def _print_forecast(opened: AnyRun, stage: str | None) -> None:
    from mtkd.pipeline import forecast
    from mtkd.stages import CompressRun, Run, cost_of_folds
    from mtkd.stages.compress import not_known_yet

    header, rows = forecast(opened, stage)
    print_table(header, rows)
    note = None
    if isinstance(opened, Run):
        note = cost_of_folds(opened)
    elif isinstance(opened, CompressRun):
        note = not_known_yet(opened)
    if note is not None:
        print(note)


def _print_evaluation(opened: AnyRun, with_submission: bool) -> None:
    from mtkd.stages import CompressRun, LifelongRun

    if isinstance(opened, LifelongRun):
        from mtkd.stages.lifelong import table as lifelong_table

        content = lifelong_table.read_content(opened.folder)
        for header, rows in lifelong_table.tables(content):
            print_table(header, rows)
        print(f"{lifelong_table.LEGEND}\nCheckpoints: {opened.folder / 'checkpoints'}")
        return
    if isinstance(opened, CompressRun):
        from mtkd.stages.compress import table

        header, rows, legend = table.read_table(opened.folder)
        print_table(header, rows)
        print(f"{legend}\nStudent: {opened.folder / 'student'}")
        return
    from mtkd.stages import sizes
    from mtkd.stages.evaluate import read_metrics
    from mtkd.stages.table import LEGEND, table_cells

    print_table(*table_cells(json.loads(read_metrics(opened.folder)), opened.tasks))
    print(f"{LEGEND}\nEvery metric: {opened.folder / 'evaluation' / 'table.md'}")
    if (measured := sizes.read_sizes(opened.folder / "evaluation")) is not None:
        print_table(*sizes.size_cells(measured))
        print(sizes.LEGEND)
    if with_submission and (archive := opened.folder / "submission.zip").is_file():
        print(f"Submission: {archive}")
