"""Which rows make a batch, in which order. As tensors: mtkd.batching.collate."""

from mtkd.batching.ahead import ahead
from mtkd.batching.order import count_steps, epoch_order, inference_batches, steps_per_epoch
from mtkd.batching.sampling import batches_per_task

__all__ = [
    "ahead",
    "batches_per_task",
    "count_steps",
    "epoch_order",
    "inference_batches",
    "steps_per_epoch",
]
