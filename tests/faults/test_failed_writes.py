"""A full disk or a failed write is named, spoils nothing, and the same command goes on from there.

Promise 2 of docs/reliability.md, in short; `make faults` lets every operation on files fail.
"""

from __future__ import annotations

import random
from pathlib import Path

from tests.faults.compare import differences
from tests.faults.conftest import Reference
from tests.faults.disk import fill_disk, limit_files, mount
from tests.faults.injected import KILL, Fault
from tests.faults.processes import Nursery, Outcome
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


def test_an_export_is_whole_or_absent(
    reference: Reference, nursery: Nursery, tmp_path: Path
) -> None:
    def export(name: str, error: str | None = None, spared: tuple[str, ...] = ()) -> Outcome:
        (tmp_path / name).mkdir(exist_ok=True)
        fault = Fault(str(tmp_path / name), str(tmp_path / f"{name}.record"), error, spared)
        to = str(tmp_path / name / "out")
        return nursery.run("export", str(reference.run), "--task", "rte", "--to", to, fault=fault)

    assert export("whole").code == 0
    steps = (tmp_path / "whole.record").read_text("utf-8").splitlines()
    written = sorted(path.name for path in (tmp_path / "whole" / "out").iterdir())
    draw, stopped = random.Random(1), 0
    for number, step in enumerate(dict.fromkeys(steps)):
        name, error = str(number), draw.choice((*ERRORS, KILL))
        outcome = export(name, error, tuple(each for each in steps if each != step))
        if outcome.code != 0:  # to make a folder that is there already may fail
            stopped += 1
            assert faults_of(outcome, error, tmp_path / name) == [], step
            if not (tmp_path / name / "out").exists():  # else it stopped at its very end
                assert export(name).code == 0, step
        assert sorted(path.name for path in (tmp_path / name / "out").iterdir()) == written, step
        assert [path.name for path in (tmp_path / name).iterdir()] == ["out"], step
    assert stopped >= 5
