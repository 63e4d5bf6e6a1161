"""Before the first step: does the longest batch fit, and if not, what would?"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from mtkd.errors import RecipeError
from mtkd.recipe import TrainingSettings
from mtkd.sharding import is_sharded
from mtkd.training.checkpointing import can_checkpoint, set_checkpointing
from mtkd.training.goal import Source, Trained
from mtkd.training.memory.available import available_memory
from mtkd.training.memory.choice import Load, changed, choose, ways_out
from mtkd.training.memory.need import (
    Forward,
    estimated_need,
    fixed_bytes,
    tried_need,
    undisturbed,
)

if TYPE_CHECKING:
    from accelerate import Accelerator

_ASKED = ("batch_size", "accumulation", "gradient_checkpointing")

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class MemoryPlan:
    """How updates are run in the memory there is; the same updates whatever is chosen.

    needed_bytes, available_bytes: for the longest batch, beside what is taken before the first
    step; None where it was not looked at.
    """

    batch_size: int
    accumulation: int
    gradient_checkpointing: bool
    needed_bytes: int | None = None
    available_bytes: int | None = None

    def apply(self, settings: TrainingSettings) -> TrainingSettings:
        """Return `settings` as planned."""
        return settings.model_copy(
            update={
                "batch_size": self.batch_size,
                "accumulation": self.accumulation,
                "gradient_checkpointing": self.gradient_checkpointing,
            }
        )


def asked_of_memory(settings: TrainingSettings) -> dict[str, Any]:
    """Return the settings that a plan is made for, as they are asked for."""
    return {key: getattr(settings, key) for key in _ASKED}


def recorded_plan(
    memory: Mapping[str, Any] | None, asked: Mapping[str, Any], settings: TrainingSettings
) -> MemoryPlan | None:
    """Return the plan that a run began with, unless it is now asked to run its updates otherwise.

    Who goes on with less memory has to be able to follow the advice of the refusal.

    Args: memory, asked: the plan, and what it was made for, as recorded.
    """
    same = dict(asked) == asked_of_memory(settings)
    return MemoryPlan(**memory) if memory and same else None


def plan_memory(
    model: Trained,
    optimizer: torch.optim.Optimizer,
    tasks: Sequence[Source],
    settings: TrainingSettings,
    accelerator: Accelerator,
    forward: Forward,
    *,
    title: str,
    recorded: MemoryPlan | None = None,
    available: int | None = None,
) -> MemoryPlan:
    """Look whether the longest batch fits before the first step, and set checkpointing as planned.

    With `batch_size: auto` the rows of an update stay, and what is run at once shrinks until it
    fits. Weights, random numbers and the optimiser are left as they are. On a GPU a step is run; on
    a CPU, where too large a step is not an error that could be caught, it is worked out.

    Args: model, optimizer: on their device, and loaded where the run is resumed. forward: the mean
        loss of some rows of a task, in the number format of the training. recorded: the plan that
        the run began with. available: bytes; None asks the machine.
    Raises: RecipeError: it does not fit; says what would. EncoderError: the encoder does not
        support the checkpointing asked for.
    """
    asked_auto = settings.batch_size == "auto"
    automatic = asked_auto and recorded is None
    settings = changed(settings, batch_size=settings.rows_per_update)
    settings = settings if recorded is None else recorded.apply(settings)
    set_checkpointing(model, settings.gradient_checkpointing)
    if is_sharded(model):
        if automatic:
            raise RecipeError(f"{title}: training.batch_size=auto does not know what sharded "
                              "weights leave; set batch_size and accumulation")  # fmt: skip
        log.info("%s: weights are sharded, so memory is not looked at beforehand", title)
        return _plan(settings)

    device, processes = accelerator.device, accelerator.num_processes
    by_name = {task.name: task for task in tasks}
    loads = {name: Load.of(task) for name, task in by_name.items()}
    most = max(load.batch(settings) for load in loads.values())
    room = available_memory(device, processes) if available is None else available
    fixed = fixed_bytes(model, optimizer)
    if device.type == "cuda":
        raw = tried_need(model, by_name, forward, fixed, device)
    else:
        raw = estimated_need(model, by_name, forward, fixed)

    def need(wanted: TrainingSettings) -> float:
        rows = {name: load.at_once(wanted, processes) for name, load in loads.items()}
        return raw(rows, wanted.gradient_checkpointing)

    with undisturbed(model, device):
        helps = can_checkpoint(model)
        if automatic:
            chosen = choose(settings, need, room, most, helps)
        else:
            chosen = settings if need(settings) <= room else None
        problem = None
        if chosen is None:
            ways = ways_out(settings, need, room, most, helps)
            longest = _longest(loads, settings, processes)
            problem = _problem(title, settings, longest, need(settings), room, ways,
                               auto=asked_auto)  # fmt: skip
        chosen = agreed(chosen, problem, accelerator)
        needed = need(chosen)
    set_checkpointing(model, chosen.gradient_checkpointing)
    if accelerator.is_main_process:
        log.info("%s: longest batch: %s needs %s of %s available", title,
                 _longest(loads, chosen, processes), _size(needed), _size(room))  # fmt: skip
        if automatic:
            log.info("%s: batch_size auto: %d rows an update, accumulation %d, checkpointing %s",
                     title, chosen.rows_per_update, chosen.accumulation,
                     "on" if chosen.gradient_checkpointing else "off")  # fmt: skip
    return _plan(chosen, needed, room) if recorded is None else recorded


def agreed(
    chosen: TrainingSettings | None, problem: str | None, accelerator: Accelerator
) -> TrainingSettings:
    """Return the settings that fit in every process: most pieces, checkpointing if anywhere.

    Raises: RecipeError: in all processes, where it does not fit in one.
    """
    if accelerator.num_processes > 1:
        mine = [1, 0, 0] if chosen is None else [
            0, int(chosen.gradient_checkpointing), chosen.accumulation
        ]  # fmt: skip
        every = accelerator.gather(torch.tensor([mine], device=accelerator.device))
        failed, checkpointing, pieces = every.max(dim=0).values.tolist()
        if failed and problem is None:
            problem = "the longest batch does not fit in another process, which says what would"
        elif chosen is not None:
            chosen = changed(
                chosen, accumulation=pieces, gradient_checkpointing=bool(checkpointing)
            )
    if problem is not None or chosen is None:
        raise RecipeError(problem or "the longest batch does not fit")
    return chosen


def _plan(
    settings: TrainingSettings, needed: float | None = None, room: int | None = None
) -> MemoryPlan:
    return MemoryPlan(
        settings.rows_per_update,
        settings.accumulation,
        settings.gradient_checkpointing,
        None if needed is None or math.isinf(needed) else math.ceil(needed),
        room,
    )


def _problem(
    title: str,
    settings: TrainingSettings,
    longest: str,
    needed: float,
    room: int,
    ways: Sequence[str],
    *,
    auto: bool,
) -> str:
    key = "batch_size" if settings.max_tokens is None else "max_tokens"
    value = settings.rows_per_update if settings.max_tokens is None else settings.max_tokens
    needs = "more" if math.isinf(needed) else _size(needed)
    itself = "" if auto else ". training.batch_size=auto chooses by itself"
    advice = (
        f"any of these fits: {'; '.join(ways)}{itself}"
        if ways
        else "not one row fits, with training.gradient_checkpointing or without; lower "
        "data.max_length, or take a smaller encoder or a machine with more memory"
    )
    return (
        f"{title}: training.{key}={value}: the longest batch, {longest}, needs {needs}, of "
        f"{_size(room)} available; {advice}"
    )


def _longest(loads: Mapping[str, Load], settings: TrainingSettings, processes: int) -> str:
    rows, tokens = max(
        ((load.at_once(settings, processes), load.longest) for load in loads.values()),
        key=math.prod,
    )
    return f"{rows} rows x {tokens} tokens"


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
