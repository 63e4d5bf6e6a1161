"""Runs in which one operation on files after another fails, and that go on by the same command."""

from __future__ import annotations

import dataclasses
import logging
import os
import random
import re
import shlex
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.faults.compare import differences, leftovers
from tests.faults.injected import KILL, Fault
from tests.faults.processes import Nursery, Outcome

ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES")
CODES = {"ENOSPC": 1, "EDQUOT": 1, "EFBIG": 1, "EIO": 1, "EROFS": 2, "EACCES": 2}
_NAMES = re.compile(
    r"(?<=[/. ])(a|b|c|rte|stsb|mnli|\d+|(dev|test)_(mis)?matched|dev|test)(?=[/.]|$)"
)
_ENCODER = re.compile(r"prepared/[^/]+")
_LASTING = {"ENOSPC", "EROFS"}  # a disk stays full, or read-only, to the end of the process

log = logging.getLogger(__name__)


@dataclasses.dataclass
class Failures:
    """What a campaign of failures found. problems: all that is not as promised, a line each."""

    hit: list[tuple[str, str]] = dataclasses.field(default_factory=list)  # error, operation
    passed_over: list[tuple[str, str]] = dataclasses.field(default_factory=list)  # the run went on
    problems: list[str] = dataclasses.field(default_factory=list)

    def table(self, title: str) -> str:
        """Return failures by error."""
        by = Counter(error for error, _ in self.hit)
        counts = ", ".join(f"{count} x {error}" for error, count in sorted(by.items()))
        lines = [f"{title}: {len(self.hit)} ({counts}), "
                 f"{len(self.passed_over)} of them did not stop the run"]  # fmt: skip
        return "\n".join(lines + [f"PROBLEM: {problem}" for problem in self.problems])


def operations(nursery: Nursery, recipe: Path, run: Path, record: Path) -> tuple[str, ...]:
    """Carry a recipe out whole; return the operations on files that it took, each once."""
    outcome = nursery.run(*_command(recipe, run), fault=Fault(str(run), str(record)))
    assert outcome.code == 0, outcome.err
    return tuple(dict.fromkeys(record.read_text("utf-8").splitlines()))


def all_but_one_of_a_kind(operations: Sequence[str], seed: int) -> tuple[str, ...]:
    """Return the operations but for one, drawn, of each kind: on the same file of the same stage.

    Two candidates, two tasks, two splits, are of a kind: the same code writes their files.
    """
    kinds: dict[str, list[str]] = {}
    for operation in operations:
        kinds.setdefault(_NAMES.sub("*", _ENCODER.sub("prepared/*", operation)), []).append(
            operation
        )
    draw = random.Random(seed)
    chosen = {draw.choice(members) for members in kinds.values()}
    return tuple(operation for operation in operations if operation not in chosen)


def fail_operations(
    nursery: Nursery,
    recipe: Path,
    reference: Path,
    run: Path,
    *,
    errors: Sequence[str],
    seed: int,
    spared: Sequence[str] = (),
    rounds: int = 100,
    with_cache: bool = False,
) -> Failures:
    """Let every operation on files fail once, each by one of `errors`, until the run is done.

    After each failure the same command is given again; the next operation that has not failed yet
    fails then, and so on. What the run ends with is compared with a reference. Some failures do not
    stop a run, and hide those right after them: so there are further rounds, each with a run of its
    own, until one has no failure.

    Args: run: the first round's run is `run`-0/run, and so on. spared: operations that do not fail.
        rounds: at most. with_cache: share artefacts by --cache-dir, and let
        operations there fail too.
    """
    draw = random.Random(seed)
    found = Failures()
    passed = list(spared)
    for number in range(rounds):
        before = len(found.hit)
        folder = run.with_name(f"{run.name}-{number}")
        folder.mkdir(exist_ok=True)
        cache = folder / "cache" if with_cache else None
        _one_round(nursery, recipe, reference, folder / "run", cache, errors, draw, passed, found)
        log.info("round %d: %d failures, %d problems", number + 1, len(found.hit),
                 len(found.problems))  # fmt: skip
        if len(found.hit) == before:
            break
    return found


def _one_round(
    nursery: Nursery,
    recipe: Path,
    reference: Path,
    run: Path,
    cache: Path | None,
    errors: Sequence[str],
    draw: random.Random,
    passed: list[str],
    found: Failures,
) -> None:
    """Carry out one run whose operations fail, but for those in `passed`, which get there then."""
    options = () if cache is None else ("--cache-dir", str(cache))
    root = run if cache is None else run.parent
    record = root.with_name(f"{root.name}.failed")
    while True:
        error = draw.choice(errors)
        record.unlink(missing_ok=True)
        fault = Fault(str(root), str(record), error, tuple(passed), error in _LASTING)
        outcome = nursery.run(*_command(recipe, run), *options, fault=fault)
        hit = record.read_text("utf-8").splitlines()
        passed += hit
        found.hit += [(error, operation) for operation in hit]
        if outcome.code == 0:
            found.passed_over += [(error, operation) for operation in hit]
            break
        if not hit:
            found.problems.append(f"ended with {outcome.code}: {outcome.err[-300:]}")
            break
        found.passed_over += [(error, operation) for operation in hit[:-1]]
        where = f"{error} at {hit[-1]}"
        found.problems += [f"{where}: {p}" for p in faults_of(outcome, error, root)]
        found.problems += [f"after {where}: {p}" for p in unusable(nursery, run)]
    found.problems += [f"{run}: {p}" for p in ends_as(nursery, recipe, reference, run)]
    if cache is not None:
        again = run.with_name("from-the-cache")
        ended = ends_as(nursery, recipe, reference, again, *options)
        found.problems += [f"{again}: {p}" for p in ended]


def faults_of(outcome: Outcome, error: str, run: Path) -> list[str]:
    """Return what is wrong with how a run ended at a failure: its code and what it said."""
    if error == KILL:
        killed = outcome.code == -signal.SIGKILL
        return [] if killed else [f"ended with {outcome.code}: {outcome.err[-300:]}"]
    error_line = re.search(r"^error: (.*)", outcome.err, re.MULTILINE | re.DOTALL)
    said = " ".join((error_line[1] if error_line else outcome.err).split())
    found = []
    if error_line is None or "Traceback" in outcome.err:
        found.append("a traceback, or nothing")
    elif str(run) not in said:
        found.append("no file is named")
    if error in {"ENOSPC", "EDQUOT"} and not re.search(r"\d[\d.,]* ?(bytes|kB|KB|MB|GB)", said):
        found.append("not said how much room there is")
    if outcome.code != CODES[error]:
        found.append(f"exit code {outcome.code}, not {CODES[error]}")
    return [f"{fault}: {said[-300:]}" for fault in found]


def unusable(nursery: Nursery, run: Path) -> list[str]:
    """Return what is wrong with what a failure leaves: `mtkd status` has to be able to read it."""
    there = nursery.shell(f"test -e {shlex.quote(str(run))}/recipe.yaml && echo yes || echo no")
    if there.strip() == "no":  # failed before anything was written
        return []
    outcome = nursery.run("status", str(run), "--json")
    return [] if outcome.code == 0 else [f"status ends with {outcome.code}: {outcome.err[-300:]}"]


def ends_as(nursery: Nursery, recipe: Path, reference: Path, run: Path, *options: str) -> list[str]:
    """Carry the run out to its end; return what differs from the reference, and leftovers."""
    outcome = nursery.run(*_command(recipe, run), *options)
    if outcome.code != 0:
        return [f"at last it ends with {outcome.code}: {outcome.err[-300:]}"]
    return [*differences(reference, run), *(f"{name}: left over" for name in leftovers(run))]


def _command(recipe: Path, run: Path) -> tuple[str, ...]:
    return ("run", os.fspath(recipe), "--run-dir", os.fspath(run))
