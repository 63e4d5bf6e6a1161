"""A step's time is from the end of one update to the end of the next, in any loop."""

from __future__ import annotations

import pytest
import torch

from benchmarks.steps import Steps, watch_steps
from mtkd.optim import DecoupledAdamax


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, DecoupledAdamax])
def test_every_update_is_seen_whatever_the_optimiser(
    optimizer: type[torch.optim.Optimizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(range(100))
    monkeypatch.setattr("benchmarks.steps.clock", lambda: float(next(times)))
    weight = torch.nn.Parameter(torch.ones(2))
    group = {"params": [weight], "decoupled_decay": 0.0}
    made = optimizer([group], lr=0.1)  # type: ignore[call-arg]
    with watch_steps() as steps:
        for _ in range(4):
            weight.grad = torch.ones(2)
            made.step()
    assert len(steps.seconds(4)) == 3
    seen = len(steps.ends)
    weight.grad = torch.ones(2)
    made.step()
    assert len(steps.ends) == seen  # after the context nothing is watched


def test_a_hook_that_is_called_twice_an_update_counts_once() -> None:
    assert Steps([1.0, 2.0, 4.0, 5.0, 9.0, 10.0]).seconds(3) == [3.0, 5.0]


def test_updates_that_were_not_seen_are_an_error() -> None:
    with pytest.raises(ValueError, match="3 calls of the hook in 2 updates"):
        Steps([1.0, 2.0, 3.0]).seconds(2)
