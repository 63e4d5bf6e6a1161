"""The compress run that `student.init` names: what of it is to be made before the run that asks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from mtkd.artifacts import remembering
from mtkd.errors import RunDirError
from mtkd.pipeline.make import open_run
from mtkd.pipeline.status import Status, statuses
from mtkd.recipe import CompressRecipe, GlueRecipe, Recipe
from mtkd.stages import AnyRun
from mtkd.stages.compressed import check_start, compressed


@dataclasses.dataclass(frozen=True)
class First:
    """A run that comes before another.

    recipe: as the user gave it. undone: its artefacts that are missing, stale or damaged. is_made:
    whether its encoder stands there, if only a stale one.
    """

    run: AnyRun
    recipe: CompressRecipe
    undone: list[Status]
    is_made: bool

    def refuse_stale(self) -> None:
        """Refuse to make it anew unasked: it is a run of its own, of which others may have use.

        Raises: RunDirError: with what is stale, and why.
        """
        if stale := [status for status in self.undone if status.state == "stale"]:
            folder = self.run.folder
            raise RunDirError(
                f"student.init: {folder}: {stale[0].unit.place} is stale ({stale[0].why}). Say "
                f"--rerun to make it anew, or student.init={folder} to take the run with the "
                "settings that it has"
            )

    def check_start(self, recipe: Recipe, folder: Path) -> None:
        """See that a run can start from what this one makes, before hours go into that.

        Args: recipe, folder: of the run that asks.
        Raises: UserError: naming the key at fault.
        """
        assert isinstance(recipe, GlueRecipe)
        with remembering(folder, keep=False):
            check_start(recipe, self.recipe, folder)


def first_run(recipe: Recipe, folder: Path) -> First | None:
    """Return the run that a recipe's student starts from; None where it starts from an encoder.

    Args: folder: of the run that asks.
    """
    found = compressed(recipe, folder)
    if found is None:
        return None
    run = open_run(found.recipe, found.folder)
    undone = [s for parts in statuses(run).values() for s in parts if s.state != "done"]
    return First(run, found.recipe, undone, found.is_made())
