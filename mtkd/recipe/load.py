"""From a recipe's name, path or run directory, and overrides, to a checked recipe."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError
from yaml import YAMLError

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
    if kind not in _SCHEMAS:
        raise RecipeError(f"{where}: kind: expected one of {', '.join(_SCHEMAS)}, found {kind!r}")
    schema = _SCHEMAS[kind]
    try:
        recipe = schema.model_validate_json(json.dumps(content, default=str), strict=False)
    except ValidationError as error:
        faults += format_faults(error, schema)
        recipe = None
    if faults or recipe is None:
        raise RecipeError("\n".join([f"{where}: {len(faults)} fault(s)", *faults]))
    return recipe


def save_recipe(recipe: GlueRecipe, folder: Path) -> None:
    """Write the recipe, overrides included, to `folder`/recipe.yaml; whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    text = OmegaConf.to_yaml(OmegaConf.create(recipe.model_dump(mode="json", exclude_unset=True)))
    partial = folder / f".{RUN_RECIPE}.partial"
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, folder / RUN_RECIPE)


def _read(source: str) -> tuple[DictConfig, str]:
    path = Path(source)
    if source in recipe_names():
        text, where = (files("mtkd.pipelines") / f"{source}.yaml").read_text("utf-8"), source
    elif path.is_dir() and (path / RUN_RECIPE).is_file():
        text, where = (path / RUN_RECIPE).read_text("utf-8"), str(path / RUN_RECIPE)
    elif path.is_file():
        text, where = path.read_text("utf-8"), source
    elif path.is_dir():
        raise RecipeError(f"{source}: a directory without {RUN_RECIPE}, so not a run directory")
    else:
        names = recipe_names()
        raise RecipeError(
            f"{source}: no such recipe, file or run directory{did_you_mean(source, names)} "
            f"Built in: {', '.join(names)}"
        )
    try:
        tree = OmegaConf.create(text)
    except (YAMLError, OmegaConfBaseException) as error:
        raise RecipeError(f"{where}: not valid YAML: {error}") from error
    if not isinstance(tree, DictConfig):
        raise RecipeError(f"{where}: expected keys and values, found a list")
    return tree, where


def _override(tree: DictConfig, text: str) -> str | None:
    """Apply one "key=value"; return what is wrong with it, if anything is."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        return f"{text}: expected key=value"
    try:
        parsed = OmegaConf.from_dotlist([f"value={value}"]).value
    except (YAMLError, OmegaConfBaseException) as error:
        return f"{key}: cannot read the value {value!r}: {str(error).splitlines()[0]}"
    *parents, last = key.split(".")
    node: Any = tree
    for depth, part in enumerate(parents):
        step = ".".join(parents[: depth + 1])
        if isinstance(node, ListConfig):
            if not part.isdigit() or int(part) >= len(node):
                return f"{step}: no such position; the list has {len(node)} (0 to {len(node) - 1})"
            node = node[int(part)]
            continue
        if not isinstance(node, DictConfig):
            return f"{step}: nothing can be set below a single value"
        if node.get(part) is None:
            node[part] = {}
        node = node[part]
    if isinstance(node, ListConfig):
        if not last.isdigit() or int(last) >= len(node):
            return f"{key}: no such position; the list has {len(node)} (0 to {len(node) - 1})"
        node[int(last)] = parsed
    elif isinstance(node, DictConfig):
        node[last] = parsed
    else:
        return f"{key}: nothing can be set below a single value"
    return None


def _to_plain(tree: DictConfig, where: str) -> dict[str, Any]:
    try:
        plain = OmegaConf.to_container(tree, resolve=True)
    except OmegaConfBaseException as error:
        raise RecipeError(f"{where}: {str(error).splitlines()[0]}") from error
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}
