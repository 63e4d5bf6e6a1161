"""A recipe carried out as the command line does it."""

from __future__ import annotations

from pathlib import Path

from mtkd.pipeline import carry_out, open_run
from mtkd.recipe import GlueRecipe, load_recipe
from mtkd.stages import Run


def carried_out(recipe: Path | str, folder: Path, *overrides: str, last: str = "submit") -> Run:
    """Carry a recipe out in a directory, as the command line does."""
    loaded: GlueRecipe = load_recipe(str(recipe), overrides)
    run = open_run(loaded, folder)
    carry_out(run, loaded, last)
    return run
