"""How a run's artefacts come to be: in order, only what is missing or stale, whole or absent."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mtkd.artifacts import (
    Manifest,
    environment,
    manifest_path,
    peak_memory_mb,
    publish,
    write_file,
)
from mtkd.errors import MtkdError, RunDirError, RunFailed, UserError
from mtkd.pipeline.cache import fetch, share
from mtkd.pipeline.processes import Processes
from mtkd.pipeline.status import Status, inputs_of, statuses, unit_status
from mtkd.recipe import RUN_RECIPE, GlueRecipe, load_recipe, save_recipe
from mtkd.stages import STAGES, Run, Unit, cost_of_folds
from mtkd.task import plan_tasks

_PARTIAL = ".partial"  # in the run directory: artefacts in the making
_DEAR = 600.0  # seconds that a stage may cost to redo without --rerun

log = logging.getLogger(__name__)


def open_run(recipe: GlueRecipe, folder: Path) -> Run:
    """Return the run of a recipe in a directory, which need not exist.

    Raises: RunDirError: when the directory is another recipe's. RecipeError: tasks do not fit.
    """
    planned, tasks = plan_tasks(recipe)
    if (folder / RUN_RECIPE).is_file():
        before = load_recipe(str(folder))
        if (before.name, before.kind) != (recipe.name, recipe.kind):
            raise RunDirError(
                f"{folder}: holds a run of {before.name} ({before.kind}), not of {recipe.name} "
                f"({recipe.kind}); choose another with --run-dir"
            )
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunDirError(f"{folder}: is not empty and not a run directory; choose another with "
                          "--run-dir")  # fmt: skip
    return Run(planned, tasks, folder)


def carry_out(
    run: Run, recipe: GlueRecipe, last: str, *, rerun: bool = False, cache: Path | None = None
) -> None:
    """Bring every stage up to `last` up to date, making only what is missing or stale.

    Args: recipe: as the user gave it, to be kept in the run directory. rerun: redo what is stale
        even if it is dear. cache: directory that shares finished artefacts between runs.
    Raises: RunDirError: a stale stage that costs more than 10 minutes, without `rerun`.
    """
    processes = Processes()
    wanted = list(STAGES)[: list(STAGES).index(last) + 1]
    found = statuses(run)
    if not rerun:
        _refuse_dear(found, wanted)
    taught = "teach" not in wanted or all(status.state == "done" for status in found["teach"])
    if processes.main and not taught and (cost := cost_of_folds(run)):
        log.info(cost)
    with _disk_errors_explained(run.folder), _recipe_kept(recipe, run.folder, processes):
        for stage in wanted:
            processes.wait()  # the stage before is on disk, for all processes to look at
            for unit in STAGES[stage](run):
                status = unit_status(run, unit)
                if status.state == "stale":
                    log.info("%s: stale: %s", unit.place, status.why)
                processes.wait()  # nobody makes it before all have looked
                if status.state != "done":
                    _make(run, unit, cache, processes)
                    processes.wait()


@contextlib.contextmanager
def _recipe_kept(recipe: GlueRecipe, folder: Path, processes: Processes) -> Iterator[None]:
    """Keep the recipe in the run directory, but the one before where this one was in error."""
    path = folder / RUN_RECIPE
    before = path.read_bytes() if path.is_file() else None
    if processes.main:
        save_recipe(recipe, folder)
    try:
        yield
    except UserError:
        if processes.main and before is not None:
            write_file(path, before)
        elif processes.main and [p.name for p in folder.iterdir()] == [RUN_RECIPE]:
            shutil.rmtree(folder)
        raise


def _make(run: Run, unit: Unit, cache: Path | None, processes: Processes) -> None:
    place, staged = run.folder / unit.place, run.folder / _PARTIAL / unit.place
    manifest = Manifest(unit.stage, inputs_of(run, unit), 0.0, 0, environment())
    shared = cache / unit.place / manifest.fingerprint if cache is not None else None
    spent = 0.0
    if processes.main:
        if shared is not None and shared.is_dir():
            log.info("%s: from the cache", unit.place)
            fetch(shared, staged, place)
        else:
            spent = _set_up(staged, manifest.fingerprint, is_file=_is_file(unit))
    processes.wait()
    if unit_status(run, unit).state == "done":
        return
    started = time.monotonic()
    notes: dict[str, Any] = {}
    if processes.main or unit.all_processes:
        try:
            notes = unit.build(staged)
        except UserError:  # nothing to go on from: the same input would fail again
            if not (staged / "checkpoint").exists():  # hours may be in it
                _clear_away(staged)
            raise
        except BaseException:
            if processes.main:
                _note(staged, manifest.fingerprint, spent + time.monotonic() - started)
            raise
    processes.wait()
    if not processes.main:
        return
    manifest = dataclasses.replace(
        manifest,
        seconds=round(spent + time.monotonic() - started, 3),
        peak_memory_mb=peak_memory_mb(),
        notes=notes,
    )
    if _is_file(unit):
        manifest_path(place).unlink(missing_ok=True)
        publish(staged, place)
        manifest.write(place)
    else:
        manifest.write(staged)
        publish(staged, place)
    _clear_away(staged)
    if shared is not None:
        share(place, shared)


def _refuse_dear(found: dict[str, list[Status]], wanted: list[str]) -> None:
    for stage in wanted:
        stale = [status for status in found[stage] if status.state == "stale"]
        seconds = sum(status.seconds or 0.0 for status in stale)
        if seconds > _DEAR:
            raise RunDirError(
                f"{stage}: {stale[0].unit.place} is stale ({stale[0].why}); redoing the stage took "
                f"{seconds / 60:.0f} minutes last time. Say --rerun to redo it, or use another "
                "--run-dir"
            )


def _is_file(unit: Unit) -> bool:
    return Path(unit.place).suffix in {".json", ".zip"}


def _mark(staged: Path) -> Path:
    """Return the file that says what the attempt in `staged` is made from, and its cost so far."""
    return staged.with_name(f"{staged.name}.fingerprint")


def _set_up(staged: Path, fingerprint: str, *, is_file: bool) -> float:
    """Make an empty place to build in, or leave an interrupted attempt at the same artefact.

    Returns: seconds that the attempt has taken so far.
    """
    mark = _mark(staged)
    if mark.is_file() and not is_file:
        before, _, seconds = mark.read_text("utf-8").partition(" ")
        if before == fingerprint:
            return float(seconds)
    shutil.rmtree(staged, ignore_errors=True)
    (staged.parent if is_file else staged).mkdir(parents=True, exist_ok=True)
    _note(staged, fingerprint, 0.0)
    return 0.0


def _note(staged: Path, fingerprint: str, seconds: float) -> None:
    write_file(_mark(staged), f"{fingerprint} {seconds:.3f}".encode())


def _clear_away(staged: Path) -> None:
    """Remove what is left of an attempt, and the folders above it that are empty."""
    shutil.rmtree(staged, ignore_errors=True)
    _mark(staged).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # another artefact is in the making there
        for folder in staged.parents:
            folder.rmdir()
            if folder.name == _PARTIAL:
                return


@contextlib.contextmanager
def _disk_errors_explained(place: Path) -> Iterator[None]:
    try:
        yield
    except MtkdError:
        raise
    except Exception as error:  # safetensors and tokenizers have errors of their own for it
        if _is_disk_full(error):
            raise RunFailed(f"{place}: the disk is full; make room and run the same command again"
                            ) from error  # fmt: skip
        if not isinstance(error, OSError):
            raise
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS} and error.filename:
            raise RunDirError(f"{error.filename}: cannot be written ({error.strerror}); choose "
                              "another place with --run-dir") from error  # fmt: skip
        raise


def _is_disk_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    return f"os error {errno.ENOSPC}" in str(error) or f"os error {errno.EDQUOT}" in str(error)
