"""The stages of a `compress` pipeline: one file each, each giving its artefacts for a run."""

from collections.abc import Callable

from mtkd.stages.compress import corpus, distill_encoder, evaluate, init_student
from mtkd.stages.compress.fit import not_known_yet
from mtkd.stages.compress.run import STUDENT, CompressRun, plan_compress
from mtkd.stages.unit import Unit

STAGES: dict[str, Callable[[CompressRun], list[Unit]]] = {
    module.STAGE: module.units for module in (corpus, init_student, distill_encoder, evaluate)
}
"""Stages in their order."""

__all__ = ["STAGES", "STUDENT", "CompressRun", "not_known_yet", "plan_compress"]
