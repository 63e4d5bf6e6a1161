"""One task's model as a plain transformers checkpoint, for those who do not have mtkd."""

from __future__ import annotations

from pathlib import Path

from mtkd.artifacts import check_files, publish, read_manifest, remove
from mtkd.encoders import load_tokenizer, save_model
from mtkd.errors import RunDirError, did_you_mean
from mtkd.model import MultiTaskModel
from mtkd.sequence_classifier import sequence_classifier
from mtkd.stages.evaluate import models
from mtkd.stages.submit import submitted_model
from mtkd.stages.unit import Run


def export_task(run: Run, task: str, to: Path, model: str | None = None) -> str:
    """Write the checkpoint, whole or not at all; return the place in the run it was made from.

    Logits are compared before anything is written: they agree to 1e-5.

    Raises: RunDirError: no such model or task in the run, weights that are damaged, or `to` is
        there already. EncoderError: transformers has no class for that head.
    """
    place = _place(run, task, model)
    if to.exists():
        raise RunDirError(f"{to}: is there already; name a directory that is not")
    folder = run.folder / place
    plain = sequence_classifier(MultiTaskModel.load(folder), task)
    staged = to.with_name(f".{to.name}.partial")
    remove(staged)  # of a command that was stopped
    save_model(plain, load_tokenizer(str(folder)), staged)
    publish(staged, to)
    return str(folder)


def _place(run: Run, task: str, model: str | None) -> str:
    trained = models(run)
    name = model or submitted_model(run)
    if name not in trained:
        raise RunDirError(f"{name}: the recipe trains {', '.join(trained)}"
                          f"{did_you_mean(name, trained)}")  # fmt: skip
    if task not in trained[name]:
        raise RunDirError(f"{task}: {name} has heads for {', '.join(trained[name])}"
                          f"{did_you_mean(task, trained[name])}")  # fmt: skip
    place = trained[name][task]
    manifest = read_manifest(run.folder / place)
    if manifest is None:
        raise RunDirError(f"{run.folder / place}: is not there yet; mtkd distill {run.folder}")
    check_files(run.folder / place, manifest)
    return place
