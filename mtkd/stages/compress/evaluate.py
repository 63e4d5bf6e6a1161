"""evaluate: what the student has kept of its teacher, and what it costs to run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from mtkd.stages.compress.run import CORPUS, START, STUDENT, TEACHER, CompressRun
from mtkd.stages.unit import Unit, encoder_settings, flat

STAGE, PLACE = "evaluate", "evaluation"


def units(run: CompressRun) -> list[Unit]:
    """Return the one unit of this stage."""
    recipe = run.recipe
    own = recipe.warmup_mlm is not None
    settings: dict[str, Any] = {
        "seed": recipe.seed,
        **flat("masking", recipe.masking),
        **({} if own else encoder_settings("teacher", recipe.teacher)),
    }
    needs = (CORPUS, *([TEACHER] if own else []), START, STUDENT)
    return [Unit(STAGE, PLACE, settings, needs, partial(_build, run))]


def _build(run: CompressRun, folder: Path) -> dict[str, Any]:
    from mtkd.stages.compress.evaluating import evaluate_encoders  # with torch, not to list a run

    return evaluate_encoders(run, folder)
