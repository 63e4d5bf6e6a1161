"""The seconds of each optimiser step of any training loop on torch, seen from outside."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

from benchmarks.machine import clock


@dataclasses.dataclass
class Steps:
    """The ends of updates; `seconds` is known once the loop is done."""

    ends: list[float] = dataclasses.field(default_factory=list)

    def seconds(self, updates: int) -> list[float]:
        """Return the time from each update's end to the next one's, `updates` - 1 of them.

        torch calls a hook once for an optimiser's class and once more for a parent that has a
        step of its own, hence the number of updates.
        """
        calls = len(self.ends) // updates
        if calls == 0 or len(self.ends) != calls * updates:
            raise ValueError(f"{len(self.ends)} calls of the hook in {updates} updates")
        ends = self.ends[calls - 1 :: calls]
        return [after - before for before, after in pairwise(ends)]


@contextmanager
def watch_steps() -> Iterator[Steps]:
    """Note the end of every optimiser step within the context."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    steps = Steps()
    handle = register_optimizer_step_post_hook(lambda *_: steps.ends.append(clock()))
    try:
        yield steps
    finally:
        handle.remove()
