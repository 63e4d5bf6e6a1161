"""The stages of a `glue` pipeline: one file each, each giving its artefacts for a run."""

from collections.abc import Callable

from mtkd.stages import distill, evaluate, prepare, refine, select, soften, submit, teach
from mtkd.stages.teach import cost_of_folds
from mtkd.stages.unit import Run, Unit

STAGES: dict[str, Callable[[Run], list[Unit]]] = {
    module.STAGE: module.units
    for module in (prepare, refine, select, teach, soften, distill, evaluate, submit)
}
"""Stages in their order; a stage's units can be listed once the stages before it are done."""

__all__ = ["STAGES", "Run", "Unit", "cost_of_folds"]
