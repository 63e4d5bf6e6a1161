"""The multi-task training loop (Algorithm 1 of MT-DNN) and what it is given."""

from mtkd.training.loop import Evaluation, train
from mtkd.training.objective import Objective
from mtkd.training.task import TrainingTask

__all__ = ["Evaluation", "Objective", "TrainingTask", "train"]
