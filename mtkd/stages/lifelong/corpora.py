"""corpora: each corpus of the stream to rows of tokens, with a part held out; tasks' rows."""

from __future__ import annotations

from mtkd.stages.corpora import Texts, corpus_unit
from mtkd.stages.lifelong.finetune import rows_units
from mtkd.stages.lifelong.run import CORPORA, LifelongRun
from mtkd.stages.unit import Unit

STAGE = "corpora"


def units(run: LifelongRun) -> list[Unit]:
    """Return the unit of each corpus, and those of the rows of its tasks."""
    recipe = run.recipe
    found = []
    for number, domain in enumerate(recipe.stream):
        key, place = f"stream.{number}.corpus", f"{CORPORA}/{domain.name}"
        texts = Texts(key, "encoder.encoder", place, recipe.encoder, domain.corpus,
                      run.tasks[number], recipe.seed)  # fmt: skip
        found.append(corpus_unit(STAGE, texts))
    return found + rows_units(run, STAGE)
