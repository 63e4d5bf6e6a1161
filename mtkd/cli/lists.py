"""tasks and recipes: what comes with mtkd."""

from __future__ import annotations

from mtkd.cli.app import app
from mtkd.terminal import print_table


@app.command()
def tasks() -> None:
    """List the tasks that come with mtkd."""
    from mtkd.task import load_task, task_names

    cards = [load_task(name) for name in task_names()]
    print_table(
        ["task", "kind", "labels", "metrics", "title"],
        [[c.name, c.kind, ", ".join(c.labels), ", ".join(c.metrics), c.title] for c in cards],
    )


@app.command()
def recipes() -> None:
    """List the recipes that come with mtkd."""
    from mtkd.recipe import load_recipe, recipe_names

    found = [load_recipe(name) for name in recipe_names()]
    print_table(["recipe", "kind", "description"], [[r.name, r.kind, r.description] for r in found])
