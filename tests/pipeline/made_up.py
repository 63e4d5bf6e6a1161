"""Runs that are done without a training: every artefact is its manifest and no more."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

from mtkd.artifacts import Manifest, record_files, write_file
from mtkd.pipeline import statuses
from mtkd.pipeline.status import Status, inputs_of
from mtkd.recipe import GlueRecipe, load_recipe, save_recipe
from mtkd.stages import STAGES, Run, Unit
from mtkd.task import Task, load_task, plan_tasks, task_names
from tests.pipeline.staleness import room_of


@dataclasses.dataclass(frozen=True)
class MadeUp:
    """A run that is done, and what it takes to look at it again with a changed recipe."""

    recipe: Path
    overrides: tuple[str, ...]
    run: Run
    units: dict[str, Unit]  # by place

    def changed(self, *overrides: str) -> Run:
        """Return the same directory's run by a recipe with more overrides."""
        return _planned(load_recipe(str(self.recipe), [*self.overrides, *overrides]),
                        self.run.folder)  # fmt: skip


def make_up(
    recipe: Path | str, overrides: Sequence[str], folder: Path, names: Sequence[str] = ("made_up",)
) -> MadeUp:
    """Have a recipe done in a directory; the first candidates are those that were kept.

    Args: names: of the files of an artefact that is a folder.
    """
    loaded = load_recipe(str(recipe), overrides)
    run = _planned(loaded, folder)
    save_recipe(loaded, folder)
    found = {}
    for stage in STAGES:
        for unit in STAGES[stage](run):
            if unit.place not in found:  # teachers that were compared are used again
                make_up_one(run, unit, names=names)
            found[unit.place] = unit
    return MadeUp(Path(recipe), tuple(overrides), run, found)


def make_up_one(
    run: Run, unit: Unit, content: str = "", names: Sequence[str] = ("made_up",)
) -> None:
    """Have one artefact done, of today's settings."""
    with mock.patch("os.fsync"):  # it need not outlive a power cut, and takes 10 ms
        _write(run, unit, content, names)


def _planned(recipe: GlueRecipe, folder: Path) -> Run:
    with mock.patch("mtkd.task.plan.load_task", _card):
        planned, tasks = plan_tasks(recipe)
    return Run(planned, tasks, folder)


def _card(source: str) -> Task:
    return _builtin_card(source) if source in task_names() else load_task(source)


@functools.cache
def _builtin_card(name: str) -> Task:
    """Return a card that is read once: YAML takes longer than all else in these tests."""
    return load_task(name)


def _write(run: Run, unit: Unit, content: str, names: Sequence[str]) -> None:
    place = run.folder / unit.place
    teachers = run.recipe.teachers
    if place.suffix == ".json" and teachers is not None:
        kept = [candidate.name for candidate in teachers.candidates[: teachers.select.keep]]
        write_file(place, json.dumps({"kept": kept}).encode())
    elif place.suffix == ".zip":
        write_file(place, content.encode())
    else:
        for name in names:
            write_file(place / name, content.encode())
    files = record_files(place, place)
    Manifest(unit.stage, inputs_of(run, unit), 1.0, 1, {}, files).write(place)


def all_units(run: Run) -> Iterator[Unit]:
    """Yield the units of all stages, in order."""
    for units in STAGES.values():
        yield from units(run)


def found(run: Run) -> dict[str, Status]:
    """Return all artefacts' states by place, in the order in which they are made."""
    return {status.unit.place: status for parts in statuses(run).values() for status in parts}


def stale(run: Run) -> dict[str, str]:
    """Return what is to be made again, and why."""
    return {place: status.why for place, status in found(run).items() if status.state != "done"}


def changed_rooms(made: MadeUp, after: Run) -> set[str]:
    """Return the rooms of the artefacts that were there and whose own settings differ."""
    there = [unit for unit in all_units(after) if unit.place in made.units]
    return {
        room_of(after, unit.place)
        for unit in there
        if unit.settings != made.units[unit.place].settings
    }
