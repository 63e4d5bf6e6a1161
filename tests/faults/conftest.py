"""A nursery, and a run that was never killed, for all tests of this folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.disk import NAMESPACE, no_namespaces
from tests.faults.processes import Nursery
from tests.faults.recipe import tiny_content, write_recipe
from tests.faults.writes import operations


@dataclasses.dataclass(frozen=True)
class Reference:
    """A recipe, the run directory that it ends with, and the operations on files on the way."""

    content: dict[str, Any]
    recipe: Path
    run: Path
    operations: tuple[str, ...]


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Forks of a process that has done the imports; where disks can be mounted, if that can be."""
    before = () if no_namespaces() else NAMESPACE
    nursery = Nursery(tmp_path_factory.mktemp("nursery"), before)
    yield nursery
    nursery.close()


@pytest.fixture
def secluded(nursery: Nursery) -> Nursery:
    """The nursery, for tests that mount disks."""
    if why := no_namespaces():
        pytest.skip(f"no namespace to mount a disk in: {why}")
    return nursery


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Reference:
    """A run never killed. Tests must not change it."""
    folder = tmp_path_factory.mktemp("faults")
    content = tiny_content(folder)
    recipe, run = write_recipe(folder, content), folder / "reference"
    steps = operations(nursery, recipe, run, folder / "operations")
    return Reference(content, recipe, run, steps)
