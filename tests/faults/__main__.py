"""The campaign: `python -m tests.faults --kills 40` (`make faults`). Exit code 1 where it fails.

A run that was never killed is the reference; then runs are killed at random moments, or fail at one
operation on files after another, and are started again by the same command until they are done.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.faults.disk import NAMESPACE, fill_disk, limit_files, no_namespaces
from tests.faults.injected import KILL
from tests.faults.kills import campaign
from tests.faults.processes import Launcher, NewProcesses, Nursery
from tests.faults.recipe import tiny_content, write_recipe
from tests.faults.writes import (
    ERRORS,
    Failures,
    all_but_one_of_a_kind,
    ends_as,
    fail_operations,
    operations,
)


def main() -> int:
    """Run the campaign and print what it found; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of all random moments")
    parser.add_argument("--only", choices=("kills", "operations", "disk"), help="one part of it")
    parser.add_argument("--every-operation", action="store_true", help="not one of each kind")
    parser.add_argument("--forked", action="store_true", help="kill forks: starts take no time")
    parser.add_argument("--keep", type=Path, help="where to leave what was made")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    with contextlib.ExitStack() as stack:
        folder = chosen.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            parser.error(f"--keep {folder}: is not empty")
        return _campaign(folder.resolve(), chosen)


def _campaign(folder: Path, chosen: argparse.Namespace) -> int:
    content = tiny_content(folder)
    folded: dict[str, Any] = {**content, "soft_labels": {"folds": 2}}
    recipes = [write_recipe(folder, content), write_recipe(folder, folded, "folds.yaml")]
    problems = 0
    with _nursery(folder / "nursery") as nursery:
        references, steps = [], []
        for recipe in recipes:
            references.append((recipe, folder / f"reference-{recipe.stem}"))
            record = folder / f"{recipe.stem}.operations"
            steps.append(operations(nursery, *references[-1], record))
            print(f"{recipe.stem}: {len(steps[-1])} operations on files", flush=True)
        if chosen.only in {None, "kills"}:
            launcher: Launcher = nursery if chosen.forked else NewProcesses(folder)
            killed = campaign(launcher, references, folder, kills=chosen.kills, seed=chosen.seed)
            print(killed.table(), flush=True)
            problems += len(killed.problems)
        if chosen.only in {None, "operations"}:
            problems += _fail_operations(nursery, *references[0], steps[0], folder, chosen)
        if chosen.only in {None, "disk"}:
            limited = limit_files(
                nursery, recipes[0], folder / "limited", seed=chosen.seed, times=20
            )
            limited.problems += ends_as(nursery, *references[0], folder / "limited")
            problems += _say(limited, "files that grew too large")
    if chosen.only in {None, "disk"}:
        if why := no_namespaces():
            print(f"full disks: SKIPPED: {why}")
        else:
            with _nursery(folder / "namespace", *NAMESPACE) as nursery:
                filled = fill_disk(nursery, *references[0], folder, seed=chosen.seed)
                problems += _say(filled, "full disks")
    print(f"problems: {problems}")
    if problems:
        print(f"again: {shlex.join(['python', '-m', 'tests.faults', *sys.argv[1:]])} "
              f"--seed {chosen.seed}")  # fmt: skip
    return 1 if problems else 0


def _fail_operations(
    nursery: Nursery,
    recipe: Path,
    reference: Path,
    steps: Sequence[str],
    folder: Path,
    chosen: argparse.Namespace,
) -> int:
    problems = 0
    for title, errors, with_cache in (
        ("failed operations", ERRORS, False),
        ("kills at operations", (KILL,), False),
        ("either, with a cache", (*ERRORS, KILL), True),
    ):
        spared = () if chosen.every_operation else all_but_one_of_a_kind(steps, chosen.seed)
        failed = fail_operations(
            nursery, recipe, reference, folder / title.replace(" ", "-"), errors=errors,
            seed=chosen.seed, spared=[*spared, *(_in_run(s) for s in spared)],
            with_cache=with_cache,
        )  # fmt: skip
        problems += _say(failed, title)
    return problems


def _in_run(operation: str) -> str:
    """Return the key of an operation where a run directory stands beside a cache."""
    event, _, path = operation.partition(" ")
    return f"{event} run" if path == "." else f"{event} run/{path}"


def _say(found: Failures, title: str) -> int:
    print(found.table(title), flush=True)
    return len(found.problems)


@contextlib.contextmanager
def _nursery(folder: Path, *before: str) -> Iterator[Nursery]:
    folder.mkdir(exist_ok=True)
    nursery = Nursery(folder, before)
    try:
        yield nursery
    finally:
        nursery.close()


if __name__ == "__main__":
    sys.exit(main())
