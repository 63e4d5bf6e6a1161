"""A recipe carried out as the command line does it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from mtkd.artifacts import read_manifest, record_files
from mtkd.pipeline import carry_out, open_run
from mtkd.recipe import GlueRecipe, load_recipe
from mtkd.stages import Run


def carried_out(recipe: Path | str, folder: Path, *overrides: str, last: str = "submit") -> Run:
    """Carry a recipe out in a directory, as the command line does."""
    loaded: GlueRecipe = load_recipe(str(recipe), overrides)
    run = open_run(loaded, folder)
    carry_out(run, loaded, last)
    return run


def sign(place: Path, **changes: object) -> None:
    """Rewrite the manifest of an artefact, as if mtkd had written its files as they are now."""
    manifest = read_manifest(place)
    assert manifest is not None
    files = record_files(place, place)
    dataclasses.replace(manifest, files=files, **changes).write(place)


@contextmanager
def one_thread_more() -> Iterator[str]:
    """Compute with one thread more for a while; give what a message says of that."""
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        yield f"threads {threads} -> {threads + 1}"
    finally:
        torch.set_num_threads(threads)
