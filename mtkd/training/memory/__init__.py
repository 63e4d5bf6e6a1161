"""The memory of a training, looked at before its first step."""

from mtkd.training.memory.plan import (
    MemoryPlan,
    asked_of_memory,
    plan_memory,
    recorded_plan,
)

__all__ = ["MemoryPlan", "asked_of_memory", "plan_memory", "recorded_plan"]
