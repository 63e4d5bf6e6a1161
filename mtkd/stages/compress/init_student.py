"""init-student: the smaller encoder before it learns; before it, if asked for, a teacher's head."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from mtkd.encoders import tokenizer_sha256, weights_size
from mtkd.recipe import EncoderLosses, derive_seed, with_overrides
from mtkd.stages.compress.fit import CorpusFit, corpus_fit_unit
from mtkd.stages.compress.run import START, TEACHER, CompressRun, has_words
from mtkd.stages.unit import Unit, encoder_settings, flat

STAGE = "init-student"


def units(run: CompressRun) -> list[Unit]:
    """Return the teacher with a head of its own, where it has to be trained, and the student."""
    recipe = run.recipe
    found = []
    if recipe.warmup_mlm is not None:
        training = with_overrides(recipe.training, recipe.warmup_training)
        training = training.model_copy(update={"epochs": recipe.warmup_mlm, "max_steps": None})
        mlm = EncoderLosses.model_validate({"mlm": {"weight": 1.0}})
        # trained along, the encoder would forget what it was trained for
        fit = CorpusFit(STAGE, TEACHER, None, mlm, training, ("warmup",), "warmup_mlm",
                        head_alone=True)  # fmt: skip
        found.append(corpus_fit_unit(run, fit))
    settings = {
        "seed": recipe.seed,
        **flat("student", recipe.student),
        **{
            f"tokenizer file {name}": sha
            for name, sha in tokenizer_sha256(recipe.teacher.encoder).items()
        },
        **({} if found else encoder_settings("teacher", recipe.teacher)),
    }
    needs = (TEACHER,) if found else ()
    found.append(
        Unit(STAGE, START, settings, needs, partial(_build, run),
             disk=weights_size(recipe.teacher.encoder))
    )  # fmt: skip
    return found


def _build(run: CompressRun, folder: Path) -> dict[str, Any]:
    import torch  # not to list a run, nor is what follows

    from mtkd.distillation.smaller import chosen_layers, smaller_encoder
    from mtkd.distillation.states import encoder_of
    from mtkd.encoders import load_tokenizer, save_model
    from mtkd.stages.compress.models import load_model

    settings, seed = run.recipe.student, derive_seed(run.recipe.seed, "student")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "new weights"))  # of a head that the teacher lacks
        model = load_model(run, TEACHER if run.recipe.warmup_mlm is not None else None)
    student = smaller_encoder(model, settings, seed)
    saved, whole = student, model
    if not has_words(run.recipe):  # a head that nobody has trained would pass for one that is
        saved, whole = encoder_of(student), encoder_of(model)
    save_model(saved, load_tokenizer(run.recipe.teacher.encoder), folder)
    return {
        "parameters": saved.num_parameters(),
        "teacher_parameters": whole.num_parameters(),
        "architecture": type(saved).__name__,
        "teacher_layers": list(chosen_layers(settings, model.config.num_hidden_layers)),
    }
