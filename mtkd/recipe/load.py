"""From a recipe's name, path or run directory, and overrides, to a checked recipe."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError
from yaml import YAMLError

from mtkd.artifacts import write_file
from mtkd.errors import RecipeError, did_you_mean
from mtkd.recipe.faults import format_faults
from mtkd.recipe.schema import GlueRecipe

RUN_RECIPE = "recipe.yaml"  # in a run directory: the recipe with its overrides applied
_SCHEMAS = {"glue": GlueRecipe}


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with mtkd."""
    return sorted(
        f.name[:-5] for f in files("mtkd.pipelines").iterdir() if f.name.endswith(".yaml")
    )


def load_recipe(source: str, overrides: Sequence[str] = ()) -> GlueRecipe:
    """Read a recipe and apply overrides.

    Args: source: a built-in name, a path to a YAML file, or a run directory.
        overrides: "key=value" with dots for nesting, e.g. "teachers.candidates.0.dropout=0.2".
    Raises: RecipeError: naming every unknown key, wrong value and bad override at once.
    """
    tree, where = _read(source)
    faults = [fault for text in overrides if (fault := _override(tree, text))]
    content = _to_plain(tree, where)
    kind = content.get("kind", "glue")
    if not isinstance(kind, str) or kind not in _SCHEMAS:
        raise RecipeError(f"{where}: kind: expected one of {', '.join(_SCHEMAS)}, found {kind!r}")
    schema = _SCHEMAS[kind]
    try:
        # strict, or `learning_rate: true` would be 1.0; as JSON, whose lists are tuples
        recipe = schema.model_validate_json(json.dumps(content, default=str), strict=True)
    except ValidationError as error:
        faults += format_faults(error, schema)
        recipe = None
    if faults or recipe is None:
        raise RecipeError("\n".join([f"{where}: {len(faults)} fault(s)", *faults]))
    return recipe


def save_recipe(recipe: GlueRecipe, folder: Path) -> None:
    """Write the recipe, overrides included, to `folder`/recipe.yaml; whole or not at all."""
    text = OmegaConf.to_yaml(OmegaConf.create(recipe.model_dump(mode="json", exclude_unset=True)))
    write_file(folder / RUN_RECIPE, text.encode())


def _read(source: str) -> tuple[DictConfig, str]:
    file, where = _locate(source)
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{where}: cannot be read: {error}") from error
    try:
        tree = OmegaConf.load(io.StringIO(text))
    except (YAMLError, OmegaConfBaseException, OSError) as error:  # OSError: a number, not keys
        raise RecipeError(f"{where}: not valid YAML: {error}") from error
    if not isinstance(tree, DictConfig):
        raise RecipeError(f"{where}: expected keys and values, found a list")
    return tree, where


def _locate(source: str) -> tuple[Traversable, str]:
    """Return the recipe's file, and what to call it in messages."""
    path = Path(source)
    if source in recipe_names():
        return files("mtkd.pipelines") / f"{source}.yaml", source
    if path.is_file():
        return path, source
    if (path / RUN_RECIPE).is_file():
        return path / RUN_RECIPE, str(path / RUN_RECIPE)
    if path.is_dir():
        raise RecipeError(f"{source}: a directory without {RUN_RECIPE}, so not a run directory")
    names = recipe_names()
    hint = did_you_mean(source, names)
    raise RecipeError(
        f"{source}: no such recipe, file or run directory{hint}{'' if hint else ';'} "
        f"built in: {', '.join(names)}"
    )


def _override(tree: DictConfig, text: str) -> str | None:
    """Apply one "key=value"; return what is wrong with it, if anything is."""
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        return f"{text}: expected key=value"
    try:
        parsed = OmegaConf.from_dotlist([f"value={value}"]).value
    except (YAMLError, OmegaConfBaseException) as error:
        return f"{key}: cannot read the value {value!r}: {str(error).splitlines()[0]}"
    try:
        return _set(tree, key, parsed)
    except OmegaConfBaseException as error:  # on the way there: an interpolation to nowhere
        return f"{key}: {str(error).splitlines()[0]}"


def _set(tree: DictConfig, key: str, value: Any) -> str | None:
    """Put a value at a dotted key, making what is missing on the way; return what is wrong."""
    *parents, last = key.split(".")
    node: Any = tree
    for depth, part in enumerate(parents):
        step = ".".join(parents[: depth + 1])
        if isinstance(node, ListConfig):
            if fault := _position_fault(node, part):
                return f"{step}: {fault}"
            node = node[int(part)]
            continue
        if not isinstance(node, DictConfig):
            return f"{step}: nothing can be set below a single value"
        if node.get(part) is None:
            node[part] = {}
        node = node[part]
    if isinstance(node, ListConfig):
        if fault := _position_fault(node, last):
            return f"{key}: {fault}"
        node[int(last)] = value
    elif isinstance(node, DictConfig):
        node[last] = value
    else:
        return f"{key}: nothing can be set below a single value"
    return None


def _position_fault(entries: ListConfig, position: str) -> str | None:
    if position.isdecimal() and int(position) < len(entries):
        return None
    places = f" (0 to {len(entries) - 1})" if len(entries) else ""
    return f"no such position; the list has {len(entries)}{places}"


def _to_plain(tree: DictConfig, where: str) -> dict[str, Any]:
    try:
        plain = OmegaConf.to_container(tree, resolve=True)
    except OmegaConfBaseException as error:
        raise RecipeError(f"{where}: {str(error).splitlines()[0]}") from error
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}
