"""Optimiser, weight decay and learning-rate schedule, as in MT-DNN (arXiv 1901.11504)."""

from mtkd.optim.adamax import DecoupledAdamax
from mtkd.optim.build import build_optimizer, parameter_groups
from mtkd.optim.clip import clip_gradients
from mtkd.optim.rows import DeferredRows, check_deferred, defer_rows
from mtkd.optim.schedule import learning_rate_factor, set_learning_rates

__all__ = [
    "DecoupledAdamax",
    "DeferredRows",
    "build_optimizer",
    "check_deferred",
    "clip_gradients",
    "defer_rows",
    "learning_rate_factor",
    "parameter_groups",
    "set_learning_rates",
]
