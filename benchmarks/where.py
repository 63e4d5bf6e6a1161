"""Where an epoch's time goes: torch's profile in plain words."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

DATA, OPTIMISER, REST = "data", "optimiser and clipping", "the rest"
PYTHON = "Python, and waiting"
# the first that is found in an operator's name; what stands within the optimiser's step or the
# making of a batch belongs there, whatever it is called
GROUPS = (
    (OPTIMISER, r"_foreach|vector_norm|fused_adam|adamax|clip"),
    ("attention products and softmax", r"scaled_dot_product|flash|softmax|bmm|attention"),
    ("matrix products", r"::(mm|addmm|matmul|linear|mkldnn_linear|_addmm)|onednn.*linear|gemm"),
    ("dropout", r"dropout|bernoulli|rand"),
    ("embeddings", r"embedding|index_put|index_select|scatter"),
    ("casts and copies", r"copy|clone|contiguous|cat|zero_|fill_|::empty|::to\b|zeros|::t\b"
                         r"|transpose|view|reshape|as_strided|expand|permute|detach|slice|select"),
    ("layer norm, GELU, adds", r"layer_norm|gelu|tanh|add|mul|sum|div|sub|neg|erf|pow|mean"),
)  # fmt: skip
_DATA_SPAN = "benchmark: a batch"


def shares(run: Callable[[], object]) -> dict[str, float]:
    """Return the share of `run`'s time that each group of operators takes; together 1.

    On a GPU time is the device's, and what is left is when it had nothing to do. The profiler's
    own cost makes many small operators look a little dearer than they are. Of a CPU's threads only
    the one that trains is seen: what is done ahead in another costs it nothing.
    """
    import torch
    from torch.profiler import ProfilerActivity, profile

    cuda = torch.cuda.is_available()
    activities = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * cuda]
    with _marked_batches(), profile(activities=activities) as profiler:
        started = time.perf_counter()
        run()
        if cuda:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - started
    attribute = "self_device_time_total" if cuda else "self_cpu_time_total"
    return grouped(profiler.events(), attribute, 1e6 * seconds)


def grouped(events: Iterable[Any], attribute: str, total: float) -> dict[str, float]:
    """Return the groups' shares of `total` microseconds, largest first, and what is in none."""
    found: dict[str, float] = {}
    for event in events:
        spent = getattr(event, attribute)
        if spent > 0:
            name = group_of(event)
            found[name] = found.get(name, 0.0) + spent / total
    found[PYTHON] = max(0.0, 1.0 - sum(found.values()))
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def group_of(event: Any) -> str:
    """Return the group of a profiler's event."""
    above = event
    while above is not None:
        if above.name.startswith("Optimizer."):
            return OPTIMISER
        if above.name == _DATA_SPAN:
            return DATA
        above = above.cpu_parent
    for name, pattern in GROUPS:
        if re.search(pattern, event.name):
            return name
    return REST


@contextmanager
def _marked_batches() -> Iterator[None]:
    """Let the making of batches show in the profile, in the thread that trains."""
    from torch.profiler import record_function

    from mtkd.examples.prepared import PreparedSplit

    make = PreparedSplit.batch

    def batch(split: PreparedSplit, *args: Any, **more: Any) -> Any:
        with record_function(_DATA_SPAN):
            return make(split, *args, **more)

    with patch.object(PreparedSplit, "batch", batch):
        yield
