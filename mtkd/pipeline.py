"""The order of stages, what of them is missing or stale, and how an artefact comes to be."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from mtkd.artifacts import (
    Manifest,
    environment,
    manifest_path,
    peak_memory_mb,
    publish,
    read_manifest,
    write_file,
)
from mtkd.errors import RunDirError, RunFailed, UserError
from mtkd.recipe import RUN_RECIPE, GlueRecipe, load_recipe, save_recipe
from mtkd.stages import STAGES, Run, Unit
from mtkd.task import plan_tasks

_PARTIAL = ".partial"  # in the run directory: artefacts in the making
_DEAR = 600.0  # seconds that a stage may cost to redo without --rerun

log = logging.getLogger(__name__)

State = Literal["done", "missing", "stale"]


@dataclasses.dataclass(frozen=True)
class Status:
    """Where one artefact stands; `why` names the key, file or artefact that made it stale."""

    unit: Unit
    state: State
    why: str = ""
    seconds: float | None = None  # that it took, where it was made before


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


def unit_status(run: Run, unit: Unit) -> Status:
    """Return whether an artefact is there and made from what the recipe says today."""
    manifest = read_manifest(run.folder / unit.place)
    if manifest is None:
        return Status(unit, "missing")
    differences = list(_differences(manifest, _inputs(run, unit)))
    if differences:
        return Status(unit, "stale", "; ".join(differences[:3]), manifest.seconds)
    return Status(unit, "done", seconds=manifest.seconds)


def statuses(run: Run) -> dict[str, list[Status]]:
    """Return every stage's artefacts; what is made from a stale or missing one is stale too."""
    behind: set[str] = set()
    found: dict[str, list[Status]] = {}
    for stage, units in STAGES.items():
        found[stage] = []
        for unit in units(run):
            status = unit_status(run, unit)
            if status.state == "done" and (old := [n for n in unit.needs if n in behind]):
                why = f"made from {old[0]}, which is to be made anew"
                status = dataclasses.replace(status, state="stale", why=why)
            if status.state != "done":
                behind.add(unit.place)
            found[stage].append(status)
    return found


def forecast(run: Run, last: str) -> tuple[list[str], list[list[str]]]:
    """Return a table of what would be made up to `last`: state, updates, disk and time.

    Time is what the artefact took before, or for trainings the updates at the pace of the run's
    finished ones.
    """
    found = statuses(run)
    pace = _seconds_per_step(run, found)
    header = ["stage", "artefact", "state", "steps", "disk MB", "minutes"]
    rows = []
    for stage in list(STAGES)[: list(STAGES).index(last) + 1]:
        for status in found[stage]:
            steps = None if status.state == "done" else status.unit.steps()
            seconds = (
                status.seconds
                if status.seconds is not None or steps is None or (pace is None)
                else pace * steps
            )
            disk = status.unit.disk / 1e6 if status.state != "done" else 0
            rows.append(
                [
                    stage,
                    status.unit.place,
                    status.state,
                    "" if steps is None else str(steps),
                    f"{disk:.0f}" if disk else "",
                    "" if seconds is None or status.state == "done" else f"{seconds / 60:.1f}",
                ]
            )
    return header, rows


def _seconds_per_step(run: Run, found: dict[str, list[Status]]) -> float | None:
    seconds = steps = 0.0
    for status in (status for parts in found.values() for status in parts):
        manifest = read_manifest(run.folder / status.unit.place)
        if manifest is not None and "steps" in manifest.notes:
            seconds, steps = seconds + manifest.seconds, steps + manifest.notes["steps"]
    return seconds / steps if steps else None


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
    if not rerun:
        _refuse_dear(statuses(run), wanted)
    if processes.main:
        with _disk_errors_explained(run.folder):
            save_recipe(recipe, run.folder)
    for stage in wanted:
        processes.wait()  # the stage before is on disk, for all processes to look at
        for unit in STAGES[stage](run):
            status = unit_status(run, unit)
            if status.state == "stale":
                log.info("%s: stale: %s", unit.place, status.why)
            processes.wait()  # nobody makes it before all have looked
            if status.state != "done":
                with _disk_errors_explained(run.folder / unit.place):
                    _make(run, unit, cache, processes)
                processes.wait()


def _make(run: Run, unit: Unit, cache: Path | None, processes: Processes) -> None:
    place, staged = run.folder / unit.place, run.folder / _PARTIAL / unit.place
    manifest = Manifest(unit.stage, _inputs(run, unit), 0.0, 0, environment())
    shared = cache / unit.stage / manifest.fingerprint if cache is not None else None
    if processes.main:
        if shared is not None and shared.is_dir():
            log.info("%s: from the cache", unit.place)
            _fetch(shared, staged, place)
        else:
            _set_up(staged, manifest.fingerprint, is_file=_is_file(unit))
    processes.wait()
    if unit_status(run, unit).state == "done":
        return
    started = time.monotonic()
    notes: dict[str, Any] = {}
    if processes.main or unit.all_processes:
        try:
            notes = unit.build(staged)
        except UserError:  # nothing to go on from: the same input would fail again
            _clear_away(staged)
            raise
    processes.wait()
    if not processes.main:
        return
    manifest = dataclasses.replace(
        manifest,
        seconds=round(time.monotonic() - started, 3),
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
        _share(place, shared)


def _inputs(run: Run, unit: Unit) -> dict[str, Any]:
    """Return all that goes into an artefact, as its manifest keeps it."""
    inputs = dict(unit.settings)
    for need in unit.needs:
        manifest = read_manifest(run.folder / need)
        inputs[f"artefact {need}"] = manifest.fingerprint if manifest else "missing"
    # through JSON, so that it compares equal with what a manifest gives back
    return json.loads(json.dumps(inputs))


def _differences(manifest: Manifest, inputs: dict[str, Any]) -> Iterator[str]:
    for key in sorted({*manifest.inputs, *inputs}):
        before, now = manifest.inputs.get(key), inputs.get(key)
        if key.startswith("artefact ") and before != now:
            yield f"{key.removeprefix('artefact ')} was made anew"
        elif before != now:
            yield f"{key}: {_short(before)} -> {_short(now)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


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
    """Return the file that says what the attempt in `staged` is made from."""
    return staged.with_name(f"{staged.name}.fingerprint")


def _set_up(staged: Path, fingerprint: str, *, is_file: bool) -> None:
    """Make an empty place to build in, or leave an interrupted attempt at the same artefact."""
    mark = _mark(staged)
    if mark.is_file() and mark.read_text("utf-8") == fingerprint and not is_file:
        return
    shutil.rmtree(staged, ignore_errors=True)
    (staged.parent if is_file else staged).mkdir(parents=True, exist_ok=True)
    write_file(mark, fingerprint.encode())


def _clear_away(staged: Path) -> None:
    """Remove what is left of an attempt, and the folders above it that are empty."""
    shutil.rmtree(staged, ignore_errors=True)
    _mark(staged).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # another artefact is in the making there
        for folder in staged.parents:
            folder.rmdir()
            if folder.name == _PARTIAL:
                return


def _share(place: Path, shared: Path) -> None:
    """Put a finished artefact and its manifest into the cache; links where the disk allows."""
    staged = shared.with_name(f".{shared.name}.{os.getpid()}")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    for path in {place, manifest_path(place)}:
        if path.is_dir():
            shutil.copytree(path, staged / path.name, copy_function=_link)
        elif path.parent != place:
            _link(path, staged / path.name)
    if shared.exists():
        shutil.rmtree(staged)
    else:
        staged.rename(shared)


def _fetch(shared: Path, staged: Path, place: Path) -> None:
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(shared, staged, copy_function=_link)
    manifest = manifest_path(place)
    manifest.unlink(missing_ok=True)
    publish(staged / place.name, place)
    if manifest.parent != place:
        publish(staged / manifest.name, manifest)
    shutil.rmtree(staged)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


@contextlib.contextmanager
def _disk_errors_explained(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise RunFailed(f"{place}: the disk is full; make room and run the same command again"
                            ) from error  # fmt: skip
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS} and error.filename:
            raise RunDirError(f"{error.filename}: cannot be written ({error.strerror}); choose "
                              "another place with --run-dir") from error  # fmt: skip
        raise


class Processes:
    """The processes of an `accelerate launch`, or this one alone."""

    def __init__(self) -> None:
        self._state = None
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            from accelerate import PartialState

            self._state = PartialState()

    @property
    def main(self) -> bool:
        """Return whether this process is the one that writes."""
        return self._state is None or self._state.is_main_process

    def wait(self) -> None:
        """Wait until every process has come here."""
        if self._state is not None:
            self._state.wait_for_everyone()
