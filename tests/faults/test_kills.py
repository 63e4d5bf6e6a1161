"""A run that is killed and started again ends with the bytes of one never killed.

Promises 1 and 2 of docs/reliability.md, in short; `make faults` is the long version.
"""

from __future__ import annotations

from pathlib import Path

from tests.faults.compare import artefacts, leftovers
from tests.faults.conftest import Reference
from tests.faults.kills import campaign
from tests.faults.processes import Nursery
from tests.faults.recipe import STAGES


def test_the_reference_went_through_every_stage_and_left_nothing_over(reference: Reference) -> None:
    assert set(artefacts(reference.run).values()) == set(STAGES)
    assert leftovers(reference.run) == []


def test_trainings_killed_at_random_steps_end_with_the_same_bytes(
    reference: Reference, nursery: Nursery, tmp_path: Path
) -> None:
    found = campaign(
        nursery, [(reference.recipe, reference.run)], tmp_path, kills=5, seed=5,
        stages=("refine", "teach", "distill"), after_a_save=1.0,
    )  # fmt: skip
    assert found.problems == [], found.table()
    assert found.identical == found.runs
    assert sum(kill.step is not None for kill in found.kills) >= 2, found.kills
