"""From a recipe's name, path or run directory, and overrides, to a checked recipe."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from pydantic import ValidationError

from mtkd.artifacts import write_file
from mtkd.errors import RecipeError, did_you_mean
from mtkd.recipe.compress import CompressRecipe
from mtkd.recipe.faults import format_faults
from mtkd.recipe.lifelong import LifelongRecipe
from mtkd.recipe.references import ReferenceFault, resolve
from mtkd.recipe.schema import GlueRecipe
from mtkd.recipe.yaml_file import YamlFault, parse_value, read_yaml
from mtkd.shown import is_plain, printable, reason, shown

RUN_RECIPE = "recipe.yaml"  # in a run directory: the recipe with its overrides applied
Recipe = GlueRecipe | CompressRecipe | LifelongRecipe
_SCHEMAS: dict[str, type[Recipe]] = {
    "glue": GlueRecipe,
    "compress": CompressRecipe,
    "lifelong": LifelongRecipe,
}
_LONGEST_KEY = 200  # characters of an override's key


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with mtkd."""
    return sorted(
        f.name[:-5] for f in files("mtkd.pipelines").iterdir() if f.name.endswith(".yaml")
    )


def load_recipe(source: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply overrides.

    Args: source: a built-in name, a path to a YAML file, or a run directory.
        overrides: "key=value" with dots for nesting, e.g. "teachers.candidates.0.dropout=0.2".
    Raises: RecipeError: naming every unknown key, wrong value and bad override at once.
    """
    try:
        file, where = _locate(source)
    except OSError as error:  # a name of 300 characters, or a folder that is closed to us
        raise RecipeError(f"{source}: cannot be looked for: {error.strerror}") from error
    tree = read_yaml(file, where, RecipeError)
    faults = [fault for text in overrides if (fault := _override(tree, text))]
    try:
        content = resolve(tree)
    except ReferenceFault as fault:
        faults.append(str(fault))
        raise RecipeError("\n".join([f"{where}: {len(faults)} fault(s)", *faults])) from fault
    for key, kind in (("corpus", "compress"), ("stream", "lifelong")):
        if "kind" not in content and key in content:
            raise RecipeError(f"{where}: kind: missing; a recipe with a {key} is of kind {kind}: "
                              f"add `kind: {kind}`")  # fmt: skip
    kind = content.get("kind", "glue")
    if not isinstance(kind, str) or kind not in _SCHEMAS:
        raise RecipeError(
            f"{where}: kind: expected one of {', '.join(_SCHEMAS)}, found {shown(kind)}"
        )
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


def load_glue_recipe(source: str, overrides: Sequence[str] = ()) -> GlueRecipe:
    """Read a recipe of tasks and apply overrides.

    Raises: RecipeError: as `load_recipe`, and where it is of another kind.
    """
    recipe = load_recipe(source, overrides)
    if not isinstance(recipe, GlueRecipe):
        raise RecipeError(f"{source}: kind: expected glue, found {recipe.kind}: this is for a "
                          "pipeline on tasks")  # fmt: skip
    return recipe


def save_recipe(recipe: Recipe, folder: Path) -> None:
    """Write the recipe, overrides included, to `folder`/recipe.yaml; whole or not at all."""
    text = OmegaConf.to_yaml(OmegaConf.create(recipe.model_dump(mode="json", exclude_unset=True)))
    write_file(folder / RUN_RECIPE, text.encode())


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


def _override(tree: dict[str, Any], text: str) -> str | None:
    """Apply one "key=value"; return what is wrong with it, if anything is."""
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")) or not is_plain(key) or len(key) > _LONGEST_KEY:
        return f"{printable(text[:_LONGEST_KEY])}: expected key=value"
    try:
        return _set(tree, key, parse_value(value))
    except YamlFault as fault:
        return f"{key}: cannot read the value {shown(value)}: {reason(fault)}"


def _set(tree: dict[str, Any], key: str, value: Any) -> str | None:
    """Put a value at a dotted key, making what is missing on the way; return what is wrong."""
    *parents, last = key.split(".")
    node: Any = tree
    for depth, part in enumerate(parents):
        step = ".".join(parents[: depth + 1])
        if isinstance(node, list):
            if fault := _position_fault(node, part):
                return f"{step}: {fault}"
            node = node[int(part)]
            continue
        if not isinstance(node, dict):
            return f"{step}: nothing can be set below a single value"
        if node.get(part) is None:
            node[part] = {}
        node = node[part]
    if isinstance(node, list):
        if fault := _position_fault(node, last):
            return f"{key}: {fault}"
        node[int(last)] = value
    elif isinstance(node, dict):
        node[last] = value
    else:
        return f"{key}: nothing can be set below a single value"
    return None


def _position_fault(entries: list[Any], position: str) -> str | None:
    if position.isdecimal() and int(position) < len(entries):
        return None
    places = f" (0 to {len(entries) - 1})" if len(entries) else ""
    return f"no such position; the list has {len(entries)}{places}"
