"""How a run's artefacts come to be: in order, only what is missing or stale, whole or absent."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

from mtkd.artifacts import (
    HASHES,
    LOCK,
    Manifest,
    check_files,
    clear_old,
    environment,
    held,
    manifest_path,
    peak_memory_mb,
    publish,
    read_manifest,
    record_files,
    recover,
    refuse_links,
    remembering,
    remove,
    write_file,
)
from mtkd.errors import RunDirError, UserError
from mtkd.pipeline.attempt import PARTIAL, Attempt, sweep
from mtkd.pipeline.cache import fetch, share
from mtkd.pipeline.disk import disk_errors_explained
from mtkd.pipeline.processes import Processes
from mtkd.pipeline.status import Status, inputs_of, statuses, unit_status
from mtkd.recipe import RUN_RECIPE, GlueRecipe, load_recipe, save_recipe
from mtkd.stages import STAGES, Run, Unit, cost_of_folds
from mtkd.task import plan_tasks

# in a run directory beside what is the run's; a killed process leaves the last two
_OURS = {LOCK, HASHES, f".{HASHES}.partial", f".{RUN_RECIPE}.partial"}
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
    elif folder.exists() and (not folder.is_dir() or _content(folder)):
        raise RunDirError(f"{folder}: is not empty and not a run directory; choose another with "
                          "--run-dir")  # fmt: skip
    return Run(planned, tasks, folder)


def carry_out(
    run: Run, recipe: GlueRecipe, last: str, *, rerun: bool = False, cache: Path | None = None
) -> None:
    """Bring every stage up to `last` up to date, making only what is missing or stale.

    Args: recipe: as the user gave it, to be kept in the run directory. rerun: redo what is stale
        even if it is dear. cache: directory that shares finished artefacts between runs.
    Raises: RunDirError: another process holds the run directory; an artefact's files are not what
        was written; a stale stage that costs more than 10 minutes, without `rerun`.
    """
    processes = Processes()
    with (
        disk_errors_explained(run.folder),
        held(run.folder) if processes.main else contextlib.nullcontext(),
        remembering(run.folder, keep=processes.main),
    ):
        wanted = list(STAGES)[: list(STAGES).index(last) + 1]
        found = statuses(run)
        if not rerun:
            _refuse_dear(found, wanted)
        taught = "teach" not in wanted or all(s.state == "done" for s in found["teach"])
        if processes.main and not taught and (cost := cost_of_folds(run)):
            log.info(cost)
        with _recipe_kept(recipe, run.folder, processes):
            for stage in wanted:
                processes.wait()  # the stage before is on disk, for all processes to look at
                for unit in STAGES[stage](run):
                    _bring_up_to_date(run, unit, cache, processes)
            if processes.main:
                sweep(run.folder)


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
        elif processes.main and _content(folder) == {RUN_RECIPE}:
            shutil.rmtree(folder)
        raise


def _content(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - _OURS


def _bring_up_to_date(run: Run, unit: Unit, cache: Path | None, processes: Processes) -> None:
    place = run.folder / unit.place
    for each in (unit.place, f"{PARTIAL}/{unit.place}"):
        refuse_links(run.folder, each)
    attempt = Attempt(run.folder, unit.place, is_file=_is_file(unit))
    if processes.main:
        recover(place)
    status = unit_status(run, unit)
    if status.state == "damaged":
        raise RunDirError(status.why)
    if status.state == "stale":
        log.info("%s: stale: %s", unit.place, status.why)
    processes.wait()  # nobody makes it before all have looked
    manifest = Manifest(unit.stage, inputs_of(run, unit), 0.0, 0, environment(), {})
    shared = cache / unit.place / manifest.fingerprint if cache is not None else None
    if status.state != "done":
        with disk_errors_explained(attempt.staged, unit.disk):
            _make(run, unit, attempt, manifest, shared, processes)
        processes.wait()
    if processes.main:  # what a process that was killed at the very end could not
        clear_old(place)
        if attempt.is_there():
            attempt.clear_away()
        if shared is not None:
            share(place, shared)


def _make(
    run: Run,
    unit: Unit,
    attempt: Attempt,
    manifest: Manifest,
    shared: Path | None,
    processes: Processes,
) -> None:
    place = run.folder / unit.place
    if processes.main:
        if shared is not None and fetch(shared, attempt.staged, place):
            attempt.clear_away()
        else:
            attempt.begin(manifest.fingerprint)
    processes.wait()
    if unit_status(run, unit).state == "done":
        return
    finished = attempt.finished(manifest.fingerprint)
    processes.wait()
    if finished is None:
        manifest = _build(run, unit, attempt, manifest, processes)
    if not processes.main:
        return
    for name in unit.scratch:
        remove(attempt.staged / name)
    if _is_file(unit):
        manifest_path(place).unlink(missing_ok=True)
        publish(attempt.staged, place)
        manifest.write(place)
    else:
        publish(attempt.staged, place)
    attempt.clear_away()


def _build(
    run: Run, unit: Unit, attempt: Attempt, manifest: Manifest, processes: Processes
) -> Manifest:
    """Build the artefact; a folder then has its manifest in it."""
    notes = {}
    if processes.main or unit.all_processes:
        try:
            if processes.main:
                _check_needs(run, unit)
            notes = unit.build(attempt.staged)
        except UserError:  # nothing to go on from: the same input would fail again
            hours = any((attempt.staged / name).exists() for name in unit.scratch)
            if processes.main and not hours:
                attempt.clear_away()
            raise
        except BaseException:
            if processes.main:
                with contextlib.suppress(OSError):  # a full disk, of which the error says more
                    attempt.note(manifest.fingerprint)
            raise
    processes.wait()
    if not processes.main:
        return manifest
    manifest = dataclasses.replace(
        manifest,
        seconds=round(attempt.seconds, 3),
        peak_memory_mb=peak_memory_mb(),
        files=record_files(attempt.staged, run.folder / unit.place, unit.scratch),
        notes=notes,
    )
    if not _is_file(unit):
        manifest.write(attempt.staged)
    return manifest


def _check_needs(run: Run, unit: Unit) -> None:
    """See that what the artefact is made from is what was written, byte for byte."""
    for need in unit.needs:
        if (manifest := read_manifest(run.folder / need)) is not None:
            check_files(run.folder / need, manifest)


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
