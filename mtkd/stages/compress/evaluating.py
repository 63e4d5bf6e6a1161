"""Teacher, student as it began, and student: on held-out text, and on the clock."""

from __future__ import annotations

import json
import math
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mtkd.devices import start_accelerator
from mtkd.distillation import DistilledEncoder, Needs, shape_of
from mtkd.distillation.pair import make_pair
from mtkd.recipe import EncoderLosses, derive_seed
from mtkd.stages.compress.held_out import score_held_out
from mtkd.stages.compress.models import load_corpus, load_masking, load_model, load_teacher
from mtkd.stages.compress.run import START, STUDENT, TEACHER, CompressRun
from mtkd.stages.compress.table import markdown_table
from mtkd.training.encoder_goal import EncoderGoal

if TYPE_CHECKING:
    from mtkd.training.corpus import TrainingCorpus

_LOSSES = EncoderLosses.model_validate(
    {
        "mlm": {"weight": 1.0},
        "soft_mlm": {"weight": 1.0, "temperature": 1.0, "restrict_to_masked": True},
        "cosine": {"weight": 1.0},
    }
)
_BATCHES, _REPEATS = (1, 32), 15


def evaluate_encoders(run: CompressRun, folder: Path) -> dict[str, Any]:
    """Write metrics.json, speed.json and table.md."""
    recipe = run.recipe
    accelerator = start_accelerator(recipe.training.precision)
    corpus, masking = load_corpus(run, "dev"), load_masking(run)
    seed = derive_seed(recipe.seed, "evaluate")
    own_teacher = TEACHER if recipe.warmup_mlm is not None else None
    places = {"teacher": own_teacher, "student as it began": START, "student": STUDENT}
    found: dict[str, dict[str, float]] = {}
    speed: dict[str, dict[str, float]] = {}
    for name, place in places.items():
        model = load_model(run, place)
        shape = shape_of(model.config.to_dict())
        teacher = load_teacher(run, Needs(), accelerator.device)
        pair = make_pair(_LOSSES, shape, shape_of(teacher.model.config.to_dict()))
        teacher.needs = pair.teacher
        own = DistilledEncoder(model, pair.student).to(accelerator.device)
        goal = EncoderGoal(pair.terms, pair.student, teacher, masking, seed)
        scores = score_held_out(own, goal, corpus, accelerator)
        found[name] = {
            "parameters": model.num_parameters(),
            "perplexity": round(math.exp(min(scores["mlm"], 700.0)), 6),
            "divergence": round(scores["soft_mlm"], 6),
            "cosine": round(1 - scores["cosine"], 6),
        }
        speed[name] = encoder_speed(own, corpus, accelerator.device)
    content = {"rows": len(corpus.rows), "models": found}
    _write(folder / "metrics.json", content)
    _write(folder / "speed.json", {"batches": list(_BATCHES), "models": speed,
                                   "threads": torch.get_num_threads(),
                                   "device": str(accelerator.device)})  # fmt: skip
    (folder / "table.md").write_text(markdown_table(content, speed), "utf-8")
    return {"perplexity": found["student"]["perplexity"]}


def encoder_speed(
    model: DistilledEncoder, corpus: TrainingCorpus, device: torch.device
) -> dict[str, float]:
    """Return the median milliseconds of a forward pass of the encoder alone, in float32, by batch.

    Of rows of middle length; the first passes are not counted.
    """
    model.eval()
    order = np.argsort(corpus.rows.lengths, kind="stable")
    found = {}
    for size in _BATCHES:
        middle = max(0, (len(order) - size) // 2)
        batch = corpus.rows.batch(np.resize(order[middle : middle + size], size))
        inputs = {key: tensor.to(device) for key, tensor in batch.items()}
        times = [_time(model, inputs, device) for _ in range(_REPEATS + 3)][3:]
        found[str(size)] = round(1000 * statistics.median(times), 3)
    return found


@torch.inference_mode()
def _time(model: DistilledEncoder, inputs: dict[str, torch.Tensor], device: torch.device) -> float:
    start = time.perf_counter()
    model.encoder(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
