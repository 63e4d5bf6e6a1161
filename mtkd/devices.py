"""The device, the number format and the processes of a run, all through accelerate."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from mtkd.errors import RecipeError
from mtkd.sharding import launcher_plugin

if TYPE_CHECKING:
    from accelerate import Accelerator

Precision = Literal["auto", "bf16", "fp32"]

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of malloc.h


def resolve_precision(precision: Precision) -> Literal["bf16", "fp32"]:
    """Return bf16 for "auto" where the device multiplies it in hardware, else fp32."""
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    return "bf16" if fast else "fp32"


def start_accelerator(
    precision: Precision, trackers: Sequence[str] = (), folder: Path | None = None
) -> Accelerator:
    """Return an accelerator for one training or scoring run.

    Args: trackers: experiment trackers of accelerate, by name. folder: where they write.
    Raises: RecipeError: when a tracker is not installed, which accelerate would pass over.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState
    from accelerate.tracking import get_available_trackers
    from accelerate.utils import DistributedType

    installed = {str(tracker) for tracker in get_available_trackers()}
    for name in trackers:
        if name not in installed:
            raise RecipeError(f"training.trackers: {name} is not installed; pip install {name}, "
                              "or leave it out")  # fmt: skip

    keep_freed_memory()
    # accelerate keeps the first precision of a process for good; runs here may differ in it
    AcceleratorState._reset_state(reset_partial_state=False)
    resolved = resolve_precision(precision)
    sharding = launcher_plugin(resolved)
    accelerator = Accelerator(
        mixed_precision="bf16" if resolved == "bf16" else "no",
        fsdp_plugin=sharding,
        log_with=list(trackers) or None,
        project_dir=folder,
        # a batch of one task leaves the other tasks' heads without gradients
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    if sharding is not None and accelerator.num_processes > 1:
        # on CPUs accelerate would pass over what its launcher was asked for
        accelerator.state.distributed_type = DistributedType.FSDP
        accelerator.state.fsdp_plugin = sharding
    return accelerator


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the CPU on `device`; copied to a GPU, it is pinned and nobody waits."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def keep_freed_memory() -> None:
    """Let the C library keep what it frees for the next step, in place of giving it back.

    A step's activations are asked for and freed again and again; given back each time, every page
    of theirs is cleared by the kernel anew, a tenth of a step on a CPU. Peak memory stays the same.
    """
    libc = _glibc()
    if libc is None:  # other libraries keep it by themselves
        return
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, -1)


def give_back_freed_memory() -> None:
    """Give the system back what was freed, so that it counts as available."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL("libc.so.6")
    except OSError:
        return None
