"""What a run leaves depends on the recipe alone: promise 8 of docs/reliability.md."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.compare import artefacts, differences, leftovers
from tests.faults.conftest import Reference
from tests.faults.processes import ENVIRONMENT, Nursery
from tests.faults.recipe import write_recipe

AS_GIVEN = {"recipe.yaml"}  # keeps the user's order of keys and tasks


def carried_out(recipe: Path, run: Path, *options: str, **environment: str) -> str:
    """Run a recipe in a process of its own; return what it logged."""
    done = subprocess.run(
        [sys.executable, "-m", "mtkd", "run", str(recipe), "--run-dir", str(run), *options],
        env=os.environ | ENVIRONMENT | environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr


def reordered(content: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe with its keys and its tasks in the opposite order."""
    found = {
        key: reordered(value) if isinstance(value, dict) else value
        for key, value in reversed(content.items())
    }
    if "tasks" in found:
        found["tasks"] = [*reversed(found["tasks"])]
    return found


def unlike(reference: Path, run: Path) -> list[str]:
    found = [*differences(reference, run), *leftovers(run)]
    return [line for line in found if line.split(":")[0] not in AS_GIVEN]


@pytest.fixture(scope="module")
def other(
    reference: Reference, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, Path]:
    """The reference's recipe in another order, carried out under other conditions, and its cache.

    Another order of sets, three threads of the tokenizer, keys and tasks turned round, a cold
    cache.
    """
    folder = tmp_path_factory.mktemp("other")
    recipe = write_recipe(folder, reordered(reference.content))
    run, cache = folder / "run", folder / "cache"
    carried_out(recipe, run, "--cache-dir", str(cache), PYTHONHASHSEED="1",
                TOKENIZERS_PARALLELISM="true", RAYON_NUM_THREADS="3")  # fmt: skip
    return recipe, run, cache


def test_orders_hashes_and_threads_of_the_tokenizer_change_no_byte(
    reference: Reference, other: tuple[Path, Path, Path]
) -> None:
    assert unlike(reference.run, other[1]) == []


def test_a_warm_cache_changes_no_byte_and_saves_all_work(
    reference: Reference, other: tuple[Path, Path, Path], nursery: Nursery, tmp_path: Path
) -> None:
    recipe, run = str(reference.recipe), tmp_path / "run"
    done = nursery.run("run", recipe, "--run-dir", str(run), "--cache-dir", str(other[2]))
    said = " ".join(done.err.split())
    assert said.count("from the cache") == len(artefacts(reference.run))
    assert unlike(reference.run, run) == []
