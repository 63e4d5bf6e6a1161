"""From a task's name, or a path to a card, to a checked task."""

from __future__ import annotations

import io
from importlib.resources import files
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError
from yaml import YAMLError

from mtkd.errors import CardError, did_you_mean
from mtkd.recipe.faults import format_faults
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
        return _check(_parse(card.read_bytes(), str(source)), str(source))
    path = Path(source)
    if not path.is_file():
        names = task_names()
        hint = did_you_mean(str(source), names)
        raise CardError(
            f"{source}: no such task or card{hint}{'' if hint else ';'} "
            f"built in: {', '.join(names)}; for a task of your own give the path to its card"
        )
    return _check(_parse(path.read_bytes(), str(path)), str(path), path.parent)


def _parse(content: bytes, where: str) -> dict[str, object]:
    try:
        tree = OmegaConf.load(io.StringIO(content.decode("utf-8")))
        plain = OmegaConf.to_container(tree, resolve=True)
    except UnicodeDecodeError as error:
        raise CardError(f"{where}: expected UTF-8 text, found {error}") from error
    except (YAMLError, OmegaConfBaseException, OSError) as error:
        raise CardError(f"{where}: not valid YAML: {error}") from error
    if not isinstance(tree, DictConfig) or not isinstance(plain, dict):
        raise CardError(f"{where}: expected keys and values, found something else")
    return {str(key): value for key, value in plain.items()}


def _check(content: dict[str, object], where: str, folder: Path | None = None) -> Task:
    try:
        task = Task.model_validate(content)
    except ValidationError as error:
        faults = format_faults(error, Task)
        raise CardError("\n".join([f"{where}: {len(faults)} fault(s)", *faults])) from error
    task._folder = folder
    return task
