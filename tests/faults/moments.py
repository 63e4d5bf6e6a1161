"""Random moments of a run: some time after a stage, a training's first save, or anything, began."""

from __future__ import annotations

import dataclasses
import json
import random
import time
from pathlib import Path

from tests.faults.compare import artefacts, seconds_by_stage
from tests.faults.processes import Child
from tests.faults.recipe import STAGES

_TRAINING = {"refine", "teach", "distill"}
_SOON = (0.3, 1.0, 2.5)  # seconds of work that a run has at most which is killed at once again
_AT_START = 1 / 4  # share of such moments that come at any time from the start of the process
_START = 6.0  # seconds
_STEP = 0.03  # seconds of a step and its save
_LOOK = 0.001  # seconds between looks at a run


@dataclasses.dataclass(frozen=True)
class Moment:
    """A time in seconds after something began.

    own: the places of which one has to be in the making; none for whatever the run does first.
    later: places of which one will do as well: a short stage may be over between two looks. steps:
    a training of `own` has to have saved its state after so many. at_start: from the start of the
    process.
    """

    seconds: float
    own: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    steps: int = 0
    at_start: bool = False

    def comes(self, child: Child, run: Path, err: Path) -> bool:
        """Wait for it; return whether the child still runs then."""
        before, at = signs(run, err), None
        while child.poll() is None:
            now = time.monotonic()
            if at is None and self._begun(run, err, before):
                at = now + self.seconds
            if at is not None and now >= at:
                return True
            time.sleep(_LOOK)
        return False

    def _begun(self, run: Path, err: Path, before: tuple[object, ...]) -> bool:
        if self.at_start:
            return True
        if signs(run, err) == before:  # still importing
            return False
        here = any(is_made(run, p) and self.steps <= (saved_at(run, p)[1] or 0) for p in self.own)
        return here or not self.own or any(is_made(run, place) for place in self.later)


def moment_of_any(draw: random.Random) -> Moment:
    """Return a moment soon after whatever a run does first, or from its very start."""
    if draw.random() < _AT_START:
        return Moment(draw.uniform(0, _START), at_start=True)
    return Moment(draw.uniform(0, draw.choice(_SOON)))


def moment_in(
    stage: str, reference: Path, run: Path, after_a_save: float, draw: random.Random
) -> Moment:
    """Return a moment in the making of what a run lacks of a stage.

    Args: reference: a run that is done. after_a_save: share of a training's moments that wait for
        one of its saves, and come within a step of it.
    """
    places, done = artefacts(reference), artefacts(run) if run.exists() else {}
    own = tuple(place for place, of in places.items() if of == stage and place not in done)
    later = tuple(p for p, of in places.items() if stage and _comes_after(of, stage))
    if own and stage in _TRAINING and draw.random() < after_a_save:
        place = draw.choice(own)
        manifest = json.loads((reference / place / "manifest.json").read_text("utf-8"))
        step = draw.randint(1, manifest["notes"]["steps"] - 1)
        return Moment(draw.uniform(0, _STEP), (place,), later, step)
    return Moment(draw.uniform(0, seconds_by_stage(reference).get(stage, 1.0)), own, later)


def signs(run: Path, err: Path) -> tuple[object, ...]:
    """Return what changes as soon as a run does anything: what it said, and when files changed."""
    paths = [run, run / "recipe.yaml", run / ".lock", run / ".partial"]
    said = err.exists() and err.stat().st_size > 0
    return said, *(_when(path) for path in paths)


def is_made(run: Path, place: str) -> bool:
    """Return whether an artefact is in the making."""
    staged = run / ".partial" / place
    return staged.exists() or staged.with_name(f"{staged.name}.attempt.json").exists()


def saved_at(run: Path, place: str) -> tuple[int | None, int | None]:
    """Return epoch and step of a training's last save; None, None where there is none yet."""
    state = run / ".partial" / place / "checkpoint" / "state.json"
    try:
        content = json.loads(state.read_text("utf-8"))
    except (OSError, ValueError):  # or it is just being replaced
        return None, None
    return content["epoch"], content["step"]


def _when(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _comes_after(stage: str, other: str) -> bool:
    return STAGES.index(stage) > STAGES.index(other)
