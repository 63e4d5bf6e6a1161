"""A real run, small: what is really made again, and that made-up runs are like it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtkd.artifacts import manifest_path, read_manifest
from mtkd.pipeline import carry_out, open_run
from mtkd.recipe import load_recipe
from mtkd.stages import Run
from tests.carry_out import carried_out
from tests.pipeline.made_up import all_units, found, make_up
from tests.pipeline.staleness import to_be_made

SMALL = ["tasks=[rte,stsb]", "teachers.select={by: [rte], keep: 3}", "teachers.refine=false",
         "teachers.tasks=[stsb]", "student.finetune=false", "data.max_rows.train=20"]  # fmt: skip


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory, tiny_recipe: Path) -> Run:
    return carried_out(tiny_recipe, tmp_path_factory.mktemp("runs") / "small", *SMALL)


def made_at(run: Run) -> dict[str, int]:
    """Return when each artefact's manifest was written."""
    places = {unit.place: manifest_path(run.folder / unit.place) for unit in all_units(run)}
    return {place: path.stat().st_mtime_ns for place, path in places.items()}


def test_a_made_up_run_says_that_it_is_made_from_what_a_real_one_is(
    small_run: Run, tiny_recipe: Path, tmp_path: Path
) -> None:
    made = make_up(tiny_recipe, SMALL, tmp_path / "run")
    for place in made.units:
        real, made_up = (read_manifest(run.folder / place) for run in (small_run, made.run))
        assert real is not None
        assert made_up is not None
        own = [{k: v for k, v in manifest.inputs.items() if not k.startswith("artefact ")}
               for manifest in (real, made_up)]  # fmt: skip
        assert own[0] == own[1]
        assert real.inputs.keys() == made_up.inputs.keys()


def test_what_status_says_is_stale_is_made_again_and_nothing_else(
    small_run: Run, tiny_recipe: Path
) -> None:
    """The tests above look at what would be made; here it is made."""
    run = small_run
    for edits in (
        ["training.log_every=3", "training.save_every=1 steps", "description=other"],
        ["student.training.learning_rate=0.002"],
        ["student.training.learning_rate=0.002", "submission.fill_missing=majority"],
    ):
        loaded = load_recipe(str(tiny_recipe), [*SMALL, *edits])
        after = open_run(loaded, run.folder)
        states = found(after)
        expected = to_be_made(run, list(states), after, list(states))
        assert {place for place, status in states.items() if status.state != "done"} == expected
        before = made_at(run)
        carry_out(after, loaded, "submit")
        assert {place for place, at in made_at(after).items() if at != before[place]} == expected
        assert {status.state for status in found(after).values()} == {"done"}
        run = after
    assert "student" not in expected
    assert "submission" in expected
