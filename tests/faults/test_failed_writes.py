"""A full disk or a failed write is named, spoils nothing, and the same command goes on from there.

Promise 2 of docs/reliability.md, in short; `make faults` lets every operation on files fail.
"""

from __future__ import annotations

import random
from pathlib import Path

from tests.faults.compare import differences
from tests.faults.conftest import Reference
from tests.faults.disk import fill_disk, limit_files, mount
from tests.faults.injected import KILL
from tests.faults.processes import Nursery
from tests.faults.writes import ERRORS, fail_operations, faults_of, unusable


def test_failed_operations_and_kills_between_them_are_named_and_spoil_nothing(
    reference: Reference, nursery: Nursery, tmp_path: Path
) -> None:
    draw = random.Random(1)
    chosen = draw.sample(reference.operations, 10)
    limited = limit_files(nursery, reference.recipe, tmp_path / "run-0" / "run", seed=1, times=1)
    assert limited.problems == [], limited.table("a write that stops half-way")
    found = fail_operations(
        nursery, reference.recipe, reference.run, tmp_path / "run", errors=(*ERRORS, KILL), seed=1,
        spared=tuple(set(reference.operations) - set(chosen)), rounds=1,
    )  # fmt: skip
    assert found.problems == [], found.table("operations")
    assert len({operation for _, operation in found.hit} & set(chosen)) >= 7


def test_a_disk_that_is_full_again_and_again_spoils_nothing(
    reference: Reference, secluded: Nursery, tmp_path: Path
) -> None:
    found = fill_disk(secluded, reference.recipe, reference.run, tmp_path, seed=1, most=4)
    assert found.problems == [], found.table("full disks")
    assert len(found.hit) == 4


def test_a_run_directory_that_cannot_be_written_is_named_and_left_as_it_is(
    reference: Reference, secluded: Nursery, tmp_path: Path
) -> None:
    disk, run = tmp_path / "disk", tmp_path / "disk" / "run"
    command = ("run", str(reference.recipe), "--run-dir", str(run))
    mount(secluded, disk, 1_000_000)
    secluded.shell(f"mount -o remount,ro '{disk}'")
    assert faults_of(secluded.run(*command), "EROFS", run) == []  # it cannot be made
    secluded.shell(f"mount -o remount,rw '{disk}'")
    assert secluded.run("prepare", *command[1:]).code == 0
    secluded.shell(f"cp -a '{run}' '{tmp_path}/before' && mount -o remount,ro '{disk}'")
    assert faults_of(secluded.run(*command), "EROFS", run) == []
    assert unusable(secluded, run) == []  # reading is all that status needs
    secluded.shell(f"cp -a '{run}' '{tmp_path}/after'")
    assert differences(tmp_path / "before", tmp_path / "after") == []
