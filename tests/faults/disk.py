"""Disks that are really full, and folders that really cannot be written: mounted in a namespace.

Audit events see what Python asks for, not what safetensors (Rust) and Arrow (C++) write; the kernel
does. Needs unprivileged user namespaces, and no rights beyond that.
"""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

from tests.faults.compare import differences, leftovers
from tests.faults.processes import Nursery
from tests.faults.writes import Failures, faults_of, unusable

NAMESPACE = ("unshare", "--map-root-user", "--mount")  # where mounts are private and allowed
_FIRST, _GROWTH = 16, (8, 160)  # KiB of the disk at first, and what is added at each time
_LIMITS = (32_000, 80_000)  # bytes a file: the log, which is a file here, fits; weights do not


def no_namespaces() -> str:
    """Return why there can be no namespace with a mount in it, or an empty string."""
    try:
        done = subprocess.run(
            [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, text=True
        )
    except FileNotFoundError as error:
        return str(error)
    return done.stderr.strip() if done.returncode else ""


def mount(nursery: Nursery, disk: Path, kilobytes: int) -> None:
    """Mount an empty disk of a size; only the nursery and its forks see it."""
    disk.mkdir()
    nursery.shell(f"mount -t tmpfs -o size={kilobytes}k tmpfs '{disk}'")


def fill_disk(
    nursery: Nursery, recipe: Path, reference: Path, folder: Path, *, seed: int, most: int = 1000
) -> Failures:
    """Run on a disk that is too small, and is made larger a little whenever it is full.

    Args: nursery: in a namespace. most: how often it is full, before there is room for all.
    """
    draw = random.Random(seed)
    found = Failures()
    disk, size = folder / "disk", _FIRST
    mount(nursery, disk, size)
    run = disk / "run"
    for _ in range(most):
        outcome = nursery.run("run", str(recipe), "--run-dir", str(run))
        if outcome.code == 0:
            break
        found.hit.append(("ENOSPC", f"{size} KiB"))
        found.problems += [f"{size} KiB: {p}" for p in faults_of(outcome, "ENOSPC", run)]
        found.problems += [f"after {size} KiB: {p}" for p in unusable(nursery, run)]
        size += draw.randint(*_GROWTH)
        nursery.shell(f"mount -o remount,size={size}k '{disk}'")
    nursery.shell(f"mount -o remount,size=1g '{disk}'")
    found.problems += ends_on_disk(nursery, recipe, reference, run, folder / "copy")
    return found


def ends_on_disk(
    nursery: Nursery, recipe: Path, reference: Path, run: Path, copy: Path
) -> list[str]:
    """Carry the run out to its end; return what differs from the reference, once copied out."""
    outcome = nursery.run("run", str(recipe), "--run-dir", str(run))
    if outcome.code != 0:
        return [f"at last it ends with {outcome.code}: {outcome.err[-300:]}"]
    nursery.shell(f"cp -a '{run}' '{copy}'")
    return [*differences(reference, copy), *(f"{name}: left over" for name in leftovers(copy))]


def limit_files(nursery: Nursery, recipe: Path, run: Path, *, seed: int, times: int) -> Failures:
    """Run under limits of a file's size that weights exceed, so that a write stops half-way."""
    draw = random.Random(seed)
    found = Failures()
    for _ in range(times):
        limit = draw.randint(*_LIMITS)
        outcome = nursery.run("run", str(recipe), "--run-dir", str(run), largest_file=limit)
        found.hit.append(("EFBIG", f"{limit} bytes"))
        found.problems += [f"{limit} bytes: {p}" for p in faults_of(outcome, "EFBIG", run)]
        found.problems += [f"after {limit} bytes: {p}" for p in unusable(nursery, run)]
    return found
