"""Soft-label stores: what several teachers believe of each row, on disk, joined by guid alone."""

from mtkd.soft_labels.combine import as_logits, combine, teacher_targets
from mtkd.soft_labels.info import COMBINATIONS, StoreInfo, Teacher
from mtkd.soft_labels.join import SoftTargets, join
from mtkd.soft_labels.label_order import check_label_order, check_store, count_confusion
from mtkd.soft_labels.read import (
    SoftLabelStore,
    StoreBatch,
    read_batches,
    read_info,
    read_store,
)
from mtkd.soft_labels.write import StoreWriter, write_store

__all__ = [
    "COMBINATIONS",
    "SoftLabelStore",
    "SoftTargets",
    "StoreBatch",
    "StoreInfo",
    "StoreWriter",
    "Teacher",
    "as_logits",
    "check_label_order",
    "check_store",
    "combine",
    "count_confusion",
    "join",
    "read_batches",
    "read_info",
    "read_store",
    "teacher_targets",
    "write_store",
]
