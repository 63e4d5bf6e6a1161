"""From a task's name, or a path to a card, to a checked task."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from pydantic import ValidationError

from mtkd.errors import CardError, did_you_mean
from mtkd.recipe.faults import format_faults
from mtkd.recipe.references import ReferenceFault, resolve
from mtkd.recipe.yaml_file import read_yaml
from mtkd.task.card import Task


def task_names() -> list[str]:
    """Return the names of the tasks that come with mtkd."""
    return sorted(f.name[:-5] for f in files("mtkd.tasks").iterdir() if f.name.endswith(".yaml"))


def load_task(source: str | Path) -> Task:
    """Read and check a task card.

    Args: source: a built-in name, or a path to a card, whose files are then looked for beside it.
    Raises: CardError: naming every fault of the card at once, each with its key.
    """
    if str(source) in task_names():
        card = files("mtkd.tasks") / f"{source}.yaml"
        return _check(_parse(card, str(source)), str(source))
    path = Path(source)
    try:
        found = path.is_file()
    except OSError as error:  # a name of 300 characters, or a folder that is closed to us
        raise CardError(f"{source}: cannot be looked for: {error.strerror}") from error
    if not found:
        names = task_names()
        hint = did_you_mean(str(source), names)
        raise CardError(
            f"{source}: no such task or card{hint}{'' if hint else ';'} "
            f"built in: {', '.join(names)}; for a task of your own give the path to its card"
        )
    return _check(_parse(path, str(path)), str(path), path.parent)


def _parse(card: Traversable, where: str) -> dict[str, object]:
    try:
        return resolve(read_yaml(card, where, CardError))
    except ReferenceFault as fault:
        raise CardError(f"{where}: {fault}") from fault


def _check(content: dict[str, object], where: str, folder: Path | None = None) -> Task:
    try:
        task = Task.model_validate(content)
    except ValidationError as error:
        faults = format_faults(error, Task)
        raise CardError("\n".join([f"{where}: {len(faults)} fault(s)", *faults])) from error
    task._folder = folder
    return task
