"""The order of stages, what of them is missing or stale, and how an artefact comes to be."""

from mtkd.pipeline.first import First, first_run
from mtkd.pipeline.make import carry_out, open_run
from mtkd.pipeline.status import Status, forecast, statuses

__all__ = ["First", "Status", "carry_out", "first_run", "forecast", "open_run", "statuses"]
