"""The application, its exit codes, and what several commands share."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtkd import __version__
from mtkd.errors import Interrupted, MtkdError
from mtkd.shown import printable
from mtkd.terminal import log_to_stderr

if TYPE_CHECKING:
    from mtkd.recipe import Recipe as AnyRecipe
    from mtkd.stages import AnyRun

app = typer.Typer(
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Multi-task knowledge distillation: data, teachers, soft labels, student, submission. "
    "A stage's command also makes whatever the stage needs that is missing or stale.",
)

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
            if is_main_process():
                print(printable(f"{error}. Go on with: {_same_command()}"), file=sys.stderr)
        else:
            print(printable(f"error: {error}"), file=sys.stderr)
        sys.exit(error.exit_code)


def _same_command() -> str:
    """Return the command that was given; of a launcher's own part nothing is known here."""
    arguments = shlex.join(sys.argv[1:])
    if (count := int(os.environ.get("WORLD_SIZE", "1"))) > 1:
        return f"accelerate launch (as before, {count} processes) -m mtkd {arguments}"
    if Path(sys.argv[0]).name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m mtkd {arguments}"
    program = "mtkd" if shutil.which("mtkd") else sys.argv[0]  # an environment need not be active
    return f"{program} {arguments}"


@app.callback()
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def load(source: str, overrides: list[str] | None, run_dir: Path | None) -> tuple[AnyRecipe, Path]:
    """Return the recipe, checked, and the directory of its run."""
    from mtkd.recipe import RUN_RECIPE, load_recipe

    log_to_stderr(logging.INFO if is_main_process() else logging.ERROR)
    checked = load_recipe(source, overrides or ())
    if run_dir is None:
        is_run = (Path(source) / RUN_RECIPE).is_file()
        run_dir = Path(source) if is_run else Path("runs") / checked.name
    return checked, run_dir


def open_(checked: AnyRecipe, folder: Path) -> AnyRun:
    """Return the run of a recipe."""
    from mtkd.pipeline import open_run

    return open_run(checked, folder)


def is_main_process() -> bool:
    """Return whether this process is the one that prints."""
    return int(os.environ.get("RANK", "0")) == 0
