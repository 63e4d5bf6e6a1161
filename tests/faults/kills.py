"""Runs that are killed at random moments, and started again by the same command until done."""

from __future__ import annotations

import dataclasses
import logging
import random
import re
import shlex
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.faults.compare import artefacts, differences, leftovers
from tests.faults.moments import is_made, moment_in, moment_of_any, saved_at, signs
from tests.faults.processes import Launcher, wait
from tests.faults.recipe import STAGES

# one after another; what is random is the moment
_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGKILL)
_AT_ONCE = 1 / 3  # share of kills that are followed by another soon after the resume
_AIMS = 4  # stages that are aimed at in one run, one after another

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Kill:
    """One kill: by what, of which run, and in the making of what.

    epoch, step: of a training, by its last save; None where there was none yet.
    """

    run: int
    signal: str
    stage: str
    place: str
    epoch: int | None = None
    step: int | None = None


@dataclasses.dataclass(frozen=True)
class Target:
    """What is to be killed: a recipe, its reference, and the rest as `campaign` has it."""

    recipe: Path
    reference: Path
    stages: tuple[str, ...]
    after_a_save: float


@dataclasses.dataclass
class Campaign:
    """What a campaign of kills found. problems: all that is not as promised, a line each."""

    seed: int
    kills: list[Kill] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)
    runs: int = 0
    identical: int = 0

    @property
    def twice_in_an_epoch(self) -> int:
        """Return the kills that came in an epoch where the same run had been killed before."""
        seen = Counter((k.run, k.place, k.epoch) for k in self.kills if k.epoch is not None)
        return sum(count - 1 for count in seen.values())

    def table(self) -> str:
        """Return kills by stage and signal, and what became of the runs."""
        names = ("SIGKILL", "SIGTERM", "SIGINT")
        lines = [f"{'stage':<18}{'kills':>7}" + "".join(f"{name:>9}" for name in names)]
        for stage in (*STAGES, "between artefacts"):
            found = [kill for kill in self.kills if kill.stage == stage]
            by = Counter(kill.signal for kill in found)
            lines.append(f"{stage:<18}{len(found):>7}" + "".join(f"{by[n]:>9}" for n in names))
        whole = "yes" if self.identical == self.runs else "NO"
        hit = len({kill.stage for kill in self.kills} & set(STAGES))
        lines += [
            f"kills {len(self.kills)}, resumes {len(self.kills)}, runs {self.runs}, "
            f"stages hit {hit} of {len(STAGES)}, seed {self.seed}",
            f"killed again in the same epoch of a training: {self.twice_in_an_epoch}",
            f"byte-identical with a run never killed: {self.identical} of {self.runs} ({whole})",
        ]
        return "\n".join(lines + [f"PROBLEM: {problem}" for problem in self.problems])


def campaign(
    launcher: Launcher,
    recipes: Sequence[tuple[Path, Path]],
    folder: Path,
    *,
    kills: int,
    seed: int,
    most: int = 8,
    stages: Sequence[str] = STAGES,
    after_a_save: float = 0.5,
) -> Campaign:
    """Kill runs until `kills` have landed; each goes on until it is done, and is then compared.

    Args: recipes: each with the run directory of a reference never killed; taken in turn. folder:
        where runs are made. most: kills of one run. stages: those that are aimed at. after_a_save:
        share of the kills of trainings that come within a step of one of its saves.
    """
    draw = random.Random(seed)
    found = Campaign(seed)
    while len(found.kills) < kills:
        recipe, reference = recipes[found.runs % len(recipes)]
        wanted = min(most, kills - len(found.kills))
        run = folder / f"run-{found.runs}"
        target = Target(recipe, reference, tuple(stages), after_a_save)
        _kill_until_done(launcher, target, run, wanted, draw, found)
        faults = [*differences(reference, run), *(f"{n}: left over" for n in leftovers(run))]
        found.problems += [f"run {found.runs}: {fault}" for fault in faults]
        found.identical += not faults
        found.runs += 1
        log.info("%d runs, %d kills, %d problems", found.runs, len(found.kills),
                 len(found.problems))  # fmt: skip
    return found


def _kill_until_done(
    launcher: Launcher,
    target: Target,
    run: Path,
    most: int,
    draw: random.Random,
    found: Campaign,
) -> None:
    """Start one run again and again, killed `most` times at most, until it is done."""
    places = artefacts(target.reference)
    arguments = ["run", str(target.recipe), "--run-dir", str(run)]
    counts = Counter(kill.stage for kill in found.kills)
    aims = sorted(2 * target.stages, key=lambda stage: (counts[stage], draw.random()))[:_AIMS]
    aims.sort(key=STAGES.index)
    killed, soon = 0, False
    while True:
        number = _SIGNALS[len(found.kills) % len(_SIGNALS)]
        left = _not_done(run, places)
        aims = [aim for aim in aims if aim in left]
        if soon:
            moment = moment_of_any(draw)
        else:
            aim = aims[0] if aims else ""
            moment = moment_in(aim, target.reference, run, target.after_a_save, draw)
        launcher.err.unlink(missing_ok=True)
        child = launcher.start(arguments)
        began = signs(run, launcher.err)
        if killed == most or not (soon or aims) or not moment.comes(child, run, launcher.err):
            code = wait(child)
            if code != 0:
                found.problems.append(f"run {found.runs}: ended with {code}: {_last(launcher.err)}")
            return
        kill, left_then = _look(run, found.runs, number, places), _not_done(run, places)
        child.kill(number)
        code = wait(child)
        if code != -signal.SIGKILL and left_then == []:  # all was done, and it was ending
            return
        found.kills.append(kill)
        killed += 1
        aims = aims if soon else aims[1:]
        soon = draw.random() < _AT_ONCE
        if number == signal.SIGKILL:
            _expect(found, code == -signal.SIGKILL, f"{kill}: ended with {code}", launcher.err)
            continue
        if code == -number and signs(run, launcher.err)[1:] == began[1:]:  # Python was starting
            continue
        told = re.search(r"Go on with: .*?mtkd (.*)", launcher.err.read_text("utf-8"))
        # Python ends by SIGINT itself, which a shell shows as 130 too, where the interrupt passed
        # through code that another library runs as a program, though it was dealt with since
        stopped = code in {130, -signal.SIGINT}
        _expect(found, stopped and told is not None, f"{kill}: ended with {code}", launcher.err)
        arguments = shlex.split(told[1]) if told else arguments


def _not_done(run: Path, places: dict[str, str]) -> list[str]:
    """Return the stages that are not done, in their order."""
    done = artefacts(run) if run.exists() else {}
    return [s for s in STAGES if any(of == s and p not in done for p, of in places.items())]


def _look(run: Path, number: int, by: signal.Signals, places: dict[str, str]) -> Kill:
    """Return what a run is at."""
    for place, stage in places.items():
        if is_made(run, place):
            return Kill(number, by.name, stage, place, *saved_at(run, place))
    return Kill(number, by.name, "between artefacts", "")


def _expect(found: Campaign, fulfilled: bool, fault: str, err: Path) -> None:
    if not fulfilled:
        found.problems.append(f"{fault}: {_last(err)}")


def _last(err: Path) -> str:
    return " / ".join(err.read_text("utf-8").strip().splitlines()[-3:])
