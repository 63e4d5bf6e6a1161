"""The stages of a `lifelong` pipeline: one file each, each giving its artefacts for a run."""

from collections.abc import Callable

from mtkd.stages.lifelong import adapt, corpora, evaluate, finetune
from mtkd.stages.lifelong.run import LifelongRun, plan_lifelong
from mtkd.stages.unit import Unit

STAGES: dict[str, Callable[[LifelongRun], list[Unit]]] = {
    module.STAGE: module.units for module in (corpora, adapt, finetune, evaluate)
}
"""Stages in their order."""

__all__ = ["STAGES", "LifelongRun", "plan_lifelong"]
