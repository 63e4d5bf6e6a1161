"""The memory of a training, looked at before its first step and between steps."""

from mtkd.training.memory.freed import FreedMemory
from mtkd.training.memory.plan import (
    MemoryPlan,
    asked_of_memory,
    plan_memory,
    recorded_plan,
)

__all__ = ["FreedMemory", "MemoryPlan", "asked_of_memory", "plan_memory", "recorded_plan"]
