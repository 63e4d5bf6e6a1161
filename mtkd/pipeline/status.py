"""What of a run is done, missing or stale, and what it would take to bring it up to date."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from mtkd.artifacts import damage, read_manifest, remembered_sha256, remembering
from mtkd.errors import RecipeError, RunDirError
from mtkd.stages import AnyRun, Unit, stages_of

State = Literal["done", "missing", "stale", "damaged"]
_ARTEFACT = "artefact "  # before the place of an artefact, among what another is made from
_MISSING = "missing"  # in place of what identifies an artefact
PARTIAL = ".partial"  # in a run directory, what is in the making


@dataclasses.dataclass(frozen=True)
class Status:
    """Where one artefact stands; `why` names the key, file or artefact at fault.

    seconds: that it took, where it was made before. behind: it is stale or missing only because of
    what it is made from, which may come back as it was.
    """

    unit: Unit
    state: State
    why: str = ""
    seconds: float | None = None
    behind: bool = False


def unit_status(run: AnyRun, unit: Unit) -> Status:
    """Return whether an artefact is there, whole, and made from what the recipe says today.

    Files of known size, time and inode are not read again here, but before they are used.
    """
    place = run.folder / unit.place
    try:
        manifest = read_manifest(place)
    except RunDirError as error:
        return Status(unit, "damaged", str(error))
    if manifest is None:
        return Status(unit, "missing", _stopped(run, unit))
    today = inputs_of(run, unit)
    if found := list(differences(manifest.inputs, today)):
        more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
        before = manifest.inputs
        changed = [key for key in {*before, *today} if before.get(key) != today.get(key)]
        behind = all(today.get(key) == _MISSING for key in changed)
        return Status(unit, "stale", "; ".join(found[:3]) + more, manifest.seconds, behind)
    if fault := damage(place, manifest, remembered_sha256):
        return Status(unit, "damaged", fault, manifest.seconds)
    return Status(unit, "done", seconds=manifest.seconds)


def _stopped(run: AnyRun, unit: Unit) -> str:
    """Return how far a training came that was stopped, or is under way; nothing without a save."""
    staged = run.folder / PARTIAL / unit.place
    try:
        mark = json.loads(staged.with_name(f"{staged.name}.attempt.json").read_text("utf-8"))
        state = json.loads((staged / "checkpoint" / "state.json").read_text("utf-8"))
        inputs, step = dict(mark["inputs"]), int(state["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    other = list(differences(inputs, inputs_of(run, unit)))
    return f"saved after {step} steps" + (f", for other settings: {other[0]}" if other else "")


def statuses(run: AnyRun) -> dict[str, list[Status]]:
    """Return every stage's artefacts; what is made from a stale or missing one is stale too."""
    behind: set[str] = set()
    found: dict[str, list[Status]] = {}
    with remembering(run.folder):
        for stage, units in stages_of(run).items():
            found[stage] = []
            for unit in units(run):
                status = unit_status(run, unit)
                if status.state == "done" and (old := [n for n in unit.needs if n in behind]):
                    why = f"made from {old[0]}, which is to be made anew"
                    status = dataclasses.replace(status, state="stale", why=why, behind=True)
                if status.state != "done":
                    behind.add(unit.place)
                found[stage].append(status)
    return found


def forecast(run: AnyRun, last: str | None) -> tuple[list[str], list[list[str]]]:
    """Return a table of what would be made up to `last`: state, rows, updates, disk and time.

    Time is what the artefact took before, or for trainings the updates at the pace of the run's
    finished ones.
    """
    found = statuses(run)
    pace = _seconds_per_step(run, found)
    header = ["stage", "artefact", "state", "rows", "steps", "disk MB", "minutes"]
    table = [
        [stage, status.unit.place, status.state, *_costs(status, pace)]
        for stage in stages_until(run, last)
        for status in found[stage]
    ]
    return header, table


def stages_until(run: AnyRun, last: str | None) -> list[str]:
    """Return a run's stages up to `last`; None for all.

    Raises: RecipeError: such a recipe has no such stage.
    """
    stages = list(stages_of(run))
    if last is None:
        return stages
    if last not in stages:
        raise RecipeError(f"{run.recipe.name}: a {run.recipe.kind} recipe has no stage {last}; it "
                          f"has {', '.join(stages)}: mtkd run carries all of them out"
                          )  # fmt: skip
    return stages[: stages.index(last) + 1]


def _costs(status: Status, pace: float | None) -> list[str]:
    """Return rows, steps, disk in MB and minutes of an artefact that is to be made."""
    if status.state == "done":
        return ["", "", "", ""]
    rows, steps, seconds = status.unit.rows(), status.unit.steps(), status.seconds
    if seconds is None and steps is not None and pace is not None:
        seconds = pace * steps
    return [
        "" if rows is None else str(rows),
        "" if steps is None else str(steps),
        f"{status.unit.disk / 1e6:.0f}" if status.unit.disk else "",
        "" if seconds is None else f"{seconds / 60:.1f}",
    ]


def inputs_of(run: AnyRun, unit: Unit) -> dict[str, Any]:
    """Return all that goes into an artefact, as its manifest keeps it."""
    inputs = {"code version": unit.version, **unit.settings}
    for need in unit.needs:
        inputs[f"{_ARTEFACT}{need}"] = _fingerprint(run.folder / need)
    # through JSON, so that it compares equal with what a manifest gives back
    return json.loads(json.dumps(inputs))


def _fingerprint(place: Path) -> str:
    try:
        manifest = read_manifest(place)
    except RunDirError:
        return "damaged"
    return manifest.made if manifest else _MISSING


def differences(inputs: Mapping[str, Any], today: Mapping[str, Any]) -> Iterator[str]:
    """Say what differs: the recipe's keys first, as they are what the user has in hand."""

    def order(key: str) -> tuple[bool, bool, str]:
        """Keys as the recipe has them before those of a card, and other artefacts last."""
        return key.startswith(_ARTEFACT), " " in key, key

    keys = sorted({*inputs, *today}, key=order)
    for key in keys:
        before, now = inputs.get(key, "unset"), today.get(key, "unset")
        if before == now:
            continue
        if not key.startswith(_ARTEFACT):
            yield f"{key}: {_short(before)} -> {_short(now)}"
        elif now == "unset":
            yield f"without {key.removeprefix(_ARTEFACT)}"
        elif before == "unset":
            yield f"with {key.removeprefix(_ARTEFACT)}"
        elif now == _MISSING:
            yield f"{key.removeprefix(_ARTEFACT)} is missing"
        else:
            yield f"{key.removeprefix(_ARTEFACT)} was made anew"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _seconds_per_step(run: AnyRun, found: dict[str, list[Status]]) -> float | None:
    seconds = steps = 0.0
    for status in (status for parts in found.values() for status in parts):
        manifest = read_manifest(run.folder / status.unit.place)
        if manifest is not None and "steps" in manifest.notes:
            seconds, steps = seconds + manifest.seconds, steps + manifest.notes["steps"]
    return seconds / steps if steps else None
