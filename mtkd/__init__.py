"""Multi-task knowledge distillation on GLUE and tasks like it."""

__version__ = "0.1.0.dev0"
