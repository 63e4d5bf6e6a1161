"""How a run's artefacts come to be: in order, only what is missing or stale, whole or absent."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from mtkd.artifacts import (
    HASHES,
    LOCK,
    Manifest,
    check_files,
    clear_old,
    environment,
    flush_all,
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
from mtkd.pipeline.conditions import Needs
from mtkd.pipeline.disk import disk_errors_explained
from mtkd.pipeline.processes import Processes
from mtkd.pipeline.status import Status, inputs_of, stages_until, statuses, unit_status
from mtkd.recipe import (
    RUN_RECIPE,
    CompressRecipe,
    LifelongRecipe,
    Recipe,
    load_recipe,
    save_recipe,
)
from mtkd.signals import stop_if_asked
from mtkd.stages import (
    AnyRun,
    Run,
    Unit,
    cost_of_folds,
    plan_compress,
    plan_lifelong,
    stages_of,
)
from mtkd.stages.compressed import with_compressed
from mtkd.task import plan_tasks

# in a run directory beside what is the run's; a killed process leaves the last two
_OURS = {LOCK, HASHES, f".{HASHES}.partial", f".{RUN_RECIPE}.partial"}
_DEAR = 600.0  # seconds that a stage may cost to redo without --rerun

log = logging.getLogger(__name__)


def open_run(recipe: Recipe, folder: Path) -> AnyRun:
    """Return the run of a recipe in a directory, which need not exist.

    Raises: RunDirError: when the directory is another recipe's, or `student.init` is not made yet.
        RecipeError: tasks do not fit.
    """
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
    if isinstance(recipe, CompressRecipe):
        return plan_compress(recipe, folder)
    if isinstance(recipe, LifelongRecipe):
        return plan_lifelong(recipe, folder)
    planned, tasks = plan_tasks(with_compressed(recipe, folder))
    return Run(planned, tasks, folder)


def carry_out(
    run: AnyRun,
    recipe: Recipe,
    last: str | None,
    *,
    rerun: bool = False,
    cache: Path | None = None,
) -> None:
    """Bring every stage up to `last`, or all, up to date, making only what is missing or stale.

    Args: recipe: as the user gave it, to be kept in the run directory. rerun: redo what is stale
        even if it is dear. cache: directory that shares finished artefacts between runs.
    Raises: RunDirError: another process holds the run directory; an artefact's files are not what
        was written; what costs more than 10 minutes is stale, without `rerun`.
    """
    processes = Processes()
    stages, wanted = stages_of(run), stages_until(run, last)
    with (
        disk_errors_explained(run.folder),
        held(run.folder) if processes.main else contextlib.nullcontext(),
        remembering(run.folder, keep=processes.main),
    ):
        found = statuses(run)
        maker = _Maker(run, cache, processes, math.inf if rerun else _DEAR)
        for stage in wanted:
            maker.refuse_dear(stage, [s for s in found[stage] if not s.behind])
        taught = "teach" not in wanted or all(s.state == "done" for s in found["teach"])
        if processes.main and not taught and isinstance(run, Run) and (cost := cost_of_folds(run)):
            log.info(cost)
        with _recipe_kept(recipe, maker):
            for stage in wanted:
                processes.wait()  # the stage before is on disk, for all processes to look at
                units = stages[stage](run)
                maker.refuse_dear(stage, [unit_status(run, unit) for unit in units])
                for unit in units:
                    maker.bring_up_to_date(unit)
            if processes.main:
                sweep(run.folder)


@contextlib.contextmanager
def _recipe_kept(recipe: Recipe, maker: _Maker) -> Iterator[None]:
    """Keep the recipe in the run directory, but the one before where nothing came of this one."""
    folder, main = maker.run.folder, maker.processes.main
    path = folder / RUN_RECIPE
    before = path.read_bytes() if path.is_file() else None
    if main:
        save_recipe(recipe, folder)
    try:
        yield
    except UserError:
        if main and before is not None and not maker.has_made:
            write_file(path, before)
        elif main and _content(folder) == {RUN_RECIPE}:
            shutil.rmtree(folder)
        raise


def _content(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - _OURS


class _Maker:
    """Makes the artefacts of a run.

    dear: seconds of work that are not redone unasked. has_made: whether anything was made beyond
    prepared rows, or begun and left to be gone on with.
    """

    def __init__(self, run: AnyRun, cache: Path | None, processes: Processes, dear: float) -> None:
        self.run, self.cache, self.processes, self.dear = run, cache, processes, dear
        self.has_made = False
        self._needs = Needs(run.folder)

    def refuse_dear(self, stage: str, found: Sequence[Status]) -> None:
        """Refuse to redo a stage that took long.

        Raises: RunDirError: naming what is stale, why, and how long it took.
        """
        stale = [status for status in found if status.state == "stale"]
        seconds = sum(status.seconds or 0.0 for status in stale)
        if seconds > self.dear:
            raise RunDirError(
                f"{stage}: {stale[0].unit.place} is stale ({stale[0].why}); redoing the stage took "
                f"{seconds / 60:.0f} minutes last time. Say --rerun to redo it, or use another "
                "--run-dir"
            )

    def bring_up_to_date(self, unit: Unit) -> None:
        """Make an artefact if it is missing or stale; share it, and clear up after a kill."""
        stop_if_asked()
        run, processes = self.run, self.processes
        place = run.folder / unit.place
        for each in (unit.place, f"{PARTIAL}/{unit.place}"):
            refuse_links(run.folder, each)
        attempt = Attempt(run.folder, unit.place, is_file=_is_file(unit), scratch=unit.scratch)
        if processes.main:
            recover(place)
        status = unit_status(run, unit)
        if status.state == "damaged":
            raise RunDirError(status.why)
        if status.state == "stale":
            self.refuse_dear(unit.stage, [status])
            log.info("%s: stale: %s", unit.place, status.why)
        processes.wait()  # nobody makes it before all have looked
        manifest = Manifest(unit.stage, inputs_of(run, unit), 0.0, 0, environment(), {})
        cache = self.cache
        shared = cache / unit.place / manifest.fingerprint if cache is not None else None
        if status.state != "done":
            with disk_errors_explained(attempt.staged, unit.disk):
                self._make(unit, attempt, manifest, shared)
            processes.wait()
        if processes.main:  # what a process that was killed at the very end could not
            clear_old(place)
            if attempt.is_there():
                attempt.clear_away()
            if shared is not None:
                share(place, shared)

    def _make(self, unit: Unit, attempt: Attempt, manifest: Manifest, shared: Path | None) -> None:
        run, processes = self.run, self.processes
        place = run.folder / unit.place
        if processes.main:
            if shared is not None and fetch(shared, attempt.staged, place):
                attempt.clear_away()
            else:
                attempt.begin(manifest, dear=self.dear)
                self._needs.say_what_differs(unit.place, unit.needs)
        processes.wait()
        if unit_status(run, unit).state == "done":
            return
        finished = attempt.finished(manifest.fingerprint)
        processes.wait()
        if finished is None:
            manifest = self._build(unit, attempt, manifest)
        self.has_made |= unit.stage != next(iter(stages_of(run)))
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

    def _build(self, unit: Unit, attempt: Attempt, manifest: Manifest) -> Manifest:
        """Build the artefact; a folder then has its manifest in it, all of it on the disk."""
        notes, main = {}, self.processes.main
        if main or unit.all_processes:
            try:
                if main:
                    _check_needs(self.run, unit)
                notes = unit.build(attempt.staged)
            except UserError:  # the same input would fail again
                self.has_made |= attempt.holds_work()
                if main and not attempt.holds_work():
                    attempt.clear_away()
                raise
            except BaseException:
                if main:
                    with contextlib.suppress(OSError):  # a full disk, of which the error says more
                        attempt.note(manifest)
                raise
        self.processes.wait()
        if not main:
            return manifest
        manifest = dataclasses.replace(
            manifest,
            seconds=round(attempt.seconds, 3),
            peak_memory_mb=peak_memory_mb(),
            files=record_files(attempt.staged, self.run.folder / unit.place, unit.scratch),
            notes=notes,
        )
        if not _is_file(unit):
            flush_all(attempt.staged)  # a manifest on the disk says that all it names is there, too
            manifest.write(attempt.staged)
        return manifest


def _check_needs(run: AnyRun, unit: Unit) -> None:
    """See that what the artefact is made from is what was written, byte for byte."""
    for need in unit.needs:
        if (manifest := read_manifest(run.folder / need)) is not None:
            check_files(run.folder / need, manifest)


def _is_file(unit: Unit) -> bool:
    return Path(unit.place).suffix in {".json", ".zip"}
