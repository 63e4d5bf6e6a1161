"""The stages of pipelines: one file each, each giving its artefacts for a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mtkd.stages import (
    compress,
    distill,
    evaluate,
    lifelong,
    prepare,
    refine,
    select,
    soften,
    submit,
    teach,
)
from mtkd.stages.compress import CompressRun, plan_compress
from mtkd.stages.lifelong import LifelongRun, plan_lifelong
from mtkd.stages.teach import cost_of_folds
from mtkd.stages.unit import Run, Unit

AnyRun = Run | CompressRun | LifelongRun

STAGES: dict[str, Callable[[Run], list[Unit]]] = {
    module.STAGE: module.units
    for module in (prepare, refine, select, teach, soften, distill, evaluate, submit)
}
"""Stages of a `glue` pipeline in their order; a stage's units can be listed once the stages before
it are done."""


def stages_of(run: AnyRun) -> Mapping[str, Callable[[Any], list[Unit]]]:
    """Return the stages of a run, in their order, by its recipe's kind."""
    if isinstance(run, LifelongRun):
        return lifelong.STAGES
    return STAGES if isinstance(run, Run) else compress.STAGES


__all__ = ["STAGES", "AnyRun", "CompressRun", "LifelongRun", "Run", "Unit", "cost_of_folds",
           "plan_compress", "plan_lifelong", "stages_of"]  # fmt: skip
