"""corpus: texts to rows of tokens, with a part held out."""

from __future__ import annotations

from mtkd.stages.compress.run import CORPUS, CompressRun
from mtkd.stages.corpora import Texts, corpus_unit
from mtkd.stages.unit import Unit

STAGE = "corpus"


def units(run: CompressRun) -> list[Unit]:
    """Return the one unit of this stage."""
    recipe = run.recipe
    texts = Texts("corpus", "teacher.encoder", CORPUS, recipe.teacher, recipe.corpus, run.tasks,
                  recipe.seed)  # fmt: skip
    return [corpus_unit(STAGE, texts)]
