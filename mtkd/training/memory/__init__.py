"""The memory of a training, looked at before its first step."""

from mtkd.training.memory.plan import MemoryPlan, plan_memory

__all__ = ["MemoryPlan", "plan_memory"]
