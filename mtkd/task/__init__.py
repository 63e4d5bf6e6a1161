"""Tasks, as their cards describe them."""

from mtkd.task.card import HubSource, SubmissionFile, Task, TaskFile
from mtkd.task.checks import head_fault
from mtkd.task.load import load_task, task_names
from mtkd.task.plan import plan_tasks

__all__ = [
    "HubSource",
    "SubmissionFile",
    "Task",
    "TaskFile",
    "head_fault",
    "load_task",
    "plan_tasks",
    "task_names",
]
