"""Teacher, student as it began, and student: on held-out text, and on the clock."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mtkd.devices import start_accelerator
from mtkd.distillation import DistilledEncoder, Needs, shape_of
from mtkd.distillation.pair import make_pair
from mtkd.encoders.mlm_head import holds_head
from mtkd.recipe import EncoderLosses, derive_seed
from mtkd.speed import forward_times
from mtkd.stages.compress.held_out import score_held_out
from mtkd.stages.compress.models import load_corpus, load_masking, load_model, load_teacher
from mtkd.stages.compress.run import START, STUDENT, TEACHER, CompressRun, has_words
from mtkd.stages.compress.table import markdown_table
from mtkd.training.encoder_goal import EncoderGoal

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_MLM: dict[str, Any] = {"mlm": {"weight": 1.0}}
_SOFT: dict[str, Any] = {
    "soft_mlm": {"weight": 1.0, "temperature": 1.0, "restrict_to_masked": True}
}
_COSINE: dict[str, Any] = {"cosine": {"weight": 1.0}}


def evaluate_encoders(run: CompressRun, folder: Path) -> dict[str, Any]:
    """Write metrics.json, speed.json and table.md."""
    recipe = run.recipe
    accelerator = start_accelerator(recipe.training.precision)
    corpus, masking = load_corpus(run, "dev"), load_masking(run)
    seed = derive_seed(recipe.seed, "evaluate")
    own_teacher = TEACHER if recipe.warmup_mlm is not None else None
    places = {"teacher": own_teacher, "student as it began": START, "student": STUDENT}
    found: dict[str, dict[str, float]] = {}
    encoders: dict[str, PreTrainedModel] = {}
    teacher = load_teacher(run, Needs(), accelerator.device)
    theirs = shape_of(teacher.model.config.to_dict())
    for name, place in places.items():
        model = load_model(run, place)
        shape = shape_of(model.config.to_dict())
        scores: dict[str, float] = {}
        written = recipe.teacher.encoder if place is None else str(run.folder / place)
        has_head = holds_head(written, model.config.model_type)
        wanted = _MLM if has_head else {}
        if has_head and has_words(recipe):
            wanted = wanted | _SOFT
        if shape.width == theirs.width:  # else there is no angle between their states
            wanted = wanted | _COSINE
        own = DistilledEncoder(model, Needs())
        if wanted:
            pair = make_pair(EncoderLosses.model_validate(wanted), shape, theirs)
            own.needs, teacher.needs = pair.student, pair.teacher
            goal = EncoderGoal(pair.terms, pair.student, teacher, masking, seed)
            scores = score_held_out(own.to(accelerator.device), goal, corpus, accelerator)
        counted = model if has_head else own.encoder
        found[name] = {"parameters": counted.num_parameters(), **_shown(scores)}
        encoders[name] = own.encoder
    content = {"rows": len(corpus.rows), "models": found}
    _write(folder / "metrics.json", content)
    speed = forward_times(encoders, corpus.rows, accelerator.device)
    conditions = {"threads": torch.get_num_threads(), "device": str(accelerator.device)}
    _write(folder / "speed.json", {**conditions, "models": speed})
    (folder / "table.md").write_text(markdown_table(content, speed), "utf-8")
    return {}


def _shown(scores: dict[str, float]) -> dict[str, float]:
    """Return scores as the table shows them."""
    found = {}
    if "mlm" in scores:
        found["perplexity"] = round(math.exp(min(scores["mlm"], 700.0)), 6)
    if "soft_mlm" in scores:
        found["divergence"] = round(scores["soft_mlm"], 6)
    if "cosine" in scores:
        found["cosine"] = round(1 - scores["cosine"], 6)
    return found


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
