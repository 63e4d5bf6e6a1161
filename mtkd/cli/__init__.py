"""The commands: arguments, overrides, exit codes; what they do stands below."""

from mtkd.cli import (  # isort: split
    soft_labels,
    stages,  # isort: split  # the order of imports is the order in --help
    submission,
)

from mtkd.cli import lists
from mtkd.cli.app import app, main

__all__ = ["app", "lists", "main", "soft_labels", "stages", "submission"]
