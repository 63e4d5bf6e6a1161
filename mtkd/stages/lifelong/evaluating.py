"""Each checkpoint's masked-word losses on each corpus's held-out text."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from statistics import fmean
from typing import Any

from mtkd.artifacts import file_sha256
from mtkd.devices import start_accelerator
from mtkd.distillation import DistilledEncoder, shape_of
from mtkd.distillation.pair import make_pair
from mtkd.metrics import continual
from mtkd.recipe import EncoderLosses, derive_seed
from mtkd.stages.compress.held_out import score_held_out
from mtkd.stages.corpora import load_corpus, load_masking
from mtkd.stages.lifelong.adapting import load_checkpoint
from mtkd.stages.lifelong.finetune import scores
from mtkd.stages.lifelong.run import CHECKPOINTS, LifelongRun
from mtkd.stages.lifelong.table import markdown_table
from mtkd.training.encoder_goal import EncoderGoal

_MLM = EncoderLosses.model_validate({"mlm": {"weight": 1.0}})

log = logging.getLogger(__name__)


def evaluate_checkpoints(run: LifelongRun, folder: Path) -> dict[str, Any]:
    """Write metrics.json and table.md."""
    recipe, encoder = run.recipe, run.recipe.encoder.encoder
    accelerator = start_accelerator(recipe.training.precision)
    seed = derive_seed(recipe.seed, "evaluate")
    places = run.corpora(range(len(run.names)))
    domains = [
        (load_corpus([place], "dev", encoder, name), load_masking([place], encoder, recipe.masking))
        for name, place in zip(run.names, places, strict=True)
    ]
    nats: list[list[float]] = []
    for name in run.names:
        model = load_checkpoint(run, f"{CHECKPOINTS}/{name}")
        shape = shape_of(model.config.to_dict())
        pair = make_pair(_MLM, shape, shape)
        own = DistilledEncoder(model, pair.student).to(accelerator.device)
        row = []
        for corpus, masking in domains:
            goal = EncoderGoal(pair.terms, pair.student, None, masking, seed)
            row.append(round(score_held_out(own, goal, corpus, accelerator)["mlm"], 6))
        nats.append(row)
        log.info("after %s: %s nats a masked word of %s", name,
                 ", ".join(f"{value:.3f}" for value in row), ", ".join(run.names))  # fmt: skip
    content: dict[str, Any] = {
        "domains": list(run.names),
        "method": recipe.method,
        "rows": [len(corpus.rows) for corpus, _ in domains],
        "held out": [file_sha256(place / "dev.arrow") for place in places],
        "masks": {"seed": recipe.seed, **recipe.masking.model_dump()},
        "mlm": nats,
        "kept": {"words": what_is_kept([[-value for value in row] for row in nats])},
    }
    if run.on_tasks is not None:
        found = scores(run)
        content["tasks"] = [list(names) for names in run.downstream]
        content["scores"] = found
        by_seed = [[[cell[seed] for cell in row] for row in found]
                   for seed in range(recipe.downstream.seeds)]  # fmt: skip
        each = [what_is_kept(one) for one in by_seed]
        content["kept"]["tasks"] = {n: fmean(one[n] for one in each) for n in each[0]}
        content["kept by seed"] = each
    (folder / "metrics.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    (folder / "table.md").write_text(markdown_table(content), "utf-8")
    return {}


def what_is_kept(scores: continual.Scores) -> dict[str, float]:
    """Return what scores after each corpus, on each, come to; higher is better."""
    return {
        "average": continual.average(scores),
        "backward_transfer": continual.backward_transfer(scores),
        "forgetting": continual.forgetting(scores),
        "adaptation": continual.adaptation(scores),
        "temporal_generalisation": continual.temporal_generalisation(scores),
    }
