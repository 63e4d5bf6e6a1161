"""The commands: arguments, overrides, exit codes; what they do stands below."""

# in the order that --help lists them
from mtkd.cli import stages

# isort: split
from mtkd.cli import lifelong

# isort: split
from mtkd.cli import soft_labels

# isort: split
from mtkd.cli import submission

# isort: split
from mtkd.cli import lists
from mtkd.cli.app import app, main

__all__ = ["app", "lifelong", "lists", "main", "soft_labels", "stages", "submission"]
