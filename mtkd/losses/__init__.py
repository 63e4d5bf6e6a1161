"""Losses on tensors; they know nothing of files or recipes.

Each returns one value a row, or a position, in nats or in squared units, and leaves the mean to the
caller: rows are weighted, and a batch may be split over processes or accumulation pieces, so only
the caller knows what to divide by. Nothing is broadcast: shapes that do not fit are refused.
"""

from __future__ import annotations

from mtkd.losses.attention_mse import attention_mse
from mtkd.losses.cosine_distance import cosine_distance
from mtkd.losses.gold_cross_entropy import NO_LABEL, gold_cross_entropy
from mtkd.losses.hidden_mse import hidden_mse
from mtkd.losses.kd_kl_divergence import kd_kl_divergence
from mtkd.losses.listwise_ranking import listwise_ranking
from mtkd.losses.mixed import mix
from mtkd.losses.patient import patient
from mtkd.losses.relations import relations
from mtkd.losses.seed_distillation import seed_distillation
from mtkd.losses.simcse import simcse
from mtkd.losses.similarity_distillation import similarity_distillation
from mtkd.losses.soft_cross_entropy import soft_cross_entropy
from mtkd.losses.squared_error import squared_error

__all__ = [
    "NO_LABEL",
    "attention_mse",
    "cosine_distance",
    "gold_cross_entropy",
    "hidden_mse",
    "kd_kl_divergence",
    "listwise_ranking",
    "mix",
    "patient",
    "relations",
    "seed_distillation",
    "simcse",
    "similarity_distillation",
    "soft_cross_entropy",
    "squared_error",
]
