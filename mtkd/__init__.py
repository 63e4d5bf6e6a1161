"""Multi-task knowledge distillation on GLUE and tasks like it."""

import os

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # before the hub's library is imported

__version__ = "0.1.0.dev0"
