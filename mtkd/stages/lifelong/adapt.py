"""adapt: the encoder after each corpus of the stream, one from another."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from mtkd.encoders import weights_size
from mtkd.recipe.encoder_losses import OF_EMBEDDINGS
from mtkd.stages.lifelong.run import CHECKPOINTS, CORPORA, LifelongRun
from mtkd.stages.unit import Unit, encoder_settings, flat, losses_settings, training_settings

STAGE = "adapt"


def units(run: LifelongRun) -> list[Unit]:
    """Return the unit of each checkpoint."""
    return [_unit(run, number) for number in range(len(run.names))]


def _unit(run: LifelongRun, number: int) -> Unit:
    recipe, losses, before = run.recipe, run.losses(number), run.before(number)
    steps = sum(recipe.stream[seen].steps for seen in run.seen(number))
    if before is not None and recipe.memory is not None:
        steps += round(steps * recipe.memory.ratio)
    training = recipe.training.model_copy(update={"max_steps": steps, "keep": "last"})
    settings: dict[str, Any] = {
        "seed": recipe.seed,
        **losses_settings("losses", losses),
        **flat("masking", recipe.masking),
        **training_settings(training, ()),
    }
    del settings["training.max_steps"]
    settings |= {f"stream.{n}.steps": recipe.stream[n].steps for n in run.seen(number)}
    if OF_EMBEDDINGS & set(losses.weighted()):
        settings |= flat("embeddings", recipe.embeddings)
    needs = [f"{CORPORA}/{run.names[seen]}" for seen in run.seen(number)]
    if before is None:
        settings |= encoder_settings("encoder", recipe.encoder)
    else:
        needs.append(before)
        if recipe.memory is not None:
            settings |= flat("replay", recipe.memory)
            needs += [f"{CORPORA}/{run.names[seen]}" for seen in range(number)]
    return Unit(
        stage=STAGE,
        place=f"{CHECKPOINTS}/{run.names[number]}",
        settings=settings,
        needs=tuple(needs),
        build=partial(_build, run, number, training),
        all_processes=True,
        steps=lambda: steps,
        disk=weights_size(recipe.encoder.encoder),
        scratch=("checkpoint", ".checkpoint.partial", ".checkpoint.old", "kept"),
    )


def _build(run: LifelongRun, number: int, training: Any, folder: Path) -> dict[str, Any]:
    from mtkd.stages.lifelong.adapting import adapt_encoder  # with torch, not to list a run

    return adapt_encoder(run, number, training, folder)
