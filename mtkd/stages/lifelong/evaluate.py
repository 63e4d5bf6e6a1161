"""evaluate: how well each checkpoint knows the words of each corpus, and what was forgotten."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from mtkd.stages.lifelong import finetune
from mtkd.stages.lifelong.run import CHECKPOINTS, CORPORA, LifelongRun
from mtkd.stages.unit import Unit, flat

STAGE, PLACE = "evaluate", "evaluation"


def units(run: LifelongRun) -> list[Unit]:
    """Return the one unit of this stage."""
    settings = {
        "seed": run.recipe.seed,
        "method": run.recipe.method,
        **flat("masking", run.recipe.masking),
    }
    needs = tuple(f"{room}/{name}" for room in (CORPORA, CHECKPOINTS) for name in run.names)
    if run.on_tasks is not None:
        settings["tasks"] = [list(tasks) for tasks in run.downstream]
        needs += finetune.copies(run)
    return [Unit(STAGE, PLACE, {**settings, "stream": list(run.names)}, needs,
                 partial(_build, run))]  # fmt: skip


def _build(run: LifelongRun, folder: Path) -> dict[str, Any]:
    from mtkd.stages.lifelong.evaluating import evaluate_checkpoints  # with torch, not to list

    return evaluate_checkpoints(run, folder)
