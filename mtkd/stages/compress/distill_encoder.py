"""distill-encoder: the student learns from its teacher on the corpus."""

from __future__ import annotations

from mtkd.stages.compress.fit import CorpusFit, corpus_fit_unit
from mtkd.stages.compress.run import START, STUDENT, CompressRun
from mtkd.stages.unit import Unit

STAGE = "distill-encoder"


def units(run: CompressRun) -> list[Unit]:
    """Return the one unit of this stage."""
    recipe = run.recipe
    fit = CorpusFit(STAGE, STUDENT, START, recipe.losses, recipe.training, ("distill",))
    return [corpus_fit_unit(run, fit)]
