"""The multi-task training loop (Algorithm 1 of MT-DNN) and what it is given."""

from mtkd.training.loop import train
from mtkd.training.objective import Objective
from mtkd.training.progress import Evaluation
from mtkd.training.task import TrainingTask

__all__ = ["Evaluation", "Objective", "TrainingTask", "train"]
