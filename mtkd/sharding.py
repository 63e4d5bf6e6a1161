"""FSDP: each process holds a part of every weight, gradient and optimiser state, by torch's FSDP2.

`accelerate launch --use_fsdp --fsdp_version 2` asks for it, and its other FSDP settings count.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeGuard, TypeVar

import torch
from torch import Tensor, nn

from mtkd.errors import UserError

if TYPE_CHECKING:
    from accelerate import Accelerator, FullyShardedDataParallelPlugin
    from torch.distributed.tensor import DTensor

Model = TypeVar("Model", bound=nn.Module)


def launcher_plugin(
    precision: Literal["bf16", "fp32"],
) -> FullyShardedDataParallelPlugin | None:
    """Return the FSDP settings of `accelerate launch`, from the environment; None without FSDP.

    Raises: UserError: when they ask for FSDP 1, which packs weights that are learnt at different
        rates into one tensor.
    """
    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() != "true":
        return None
    from accelerate import FullyShardedDataParallelPlugin
    from torch.distributed.fsdp import MixedPrecisionPolicy

    if os.environ.get("FSDP_VERSION", "1") != "2":
        raise UserError("accelerate launch --use_fsdp: asks for FSDP 1, mtkd shards with FSDP 2; "
                        "add --fsdp_version 2, or change the accelerate config")  # fmt: skip
    bf16 = torch.bfloat16 if precision == "bf16" else None
    return FullyShardedDataParallelPlugin(
        fsdp_version=2,
        auto_wrap_policy=os.environ.get("FSDP_AUTO_WRAP_POLICY", "TRANSFORMER_BASED_WRAP"),
        # Parts are gathered in bf16: of weights in fp32 autocast would make copies in bf16, and
        # keep them until the backward pass. Gradients are summed in fp32, and the rest is
        # autocast's, as without FSDP.
        mixed_precision_policy=MixedPrecisionPolicy(
            bf16, reduce_dtype=torch.float32, cast_forward_inputs=False
        ),
        cpu_ram_efficient_loading=False,  # knows weights only, and no buffers
    )


def to_train(model: Model, accelerator: Accelerator) -> Model:
    """Return what is to be trained: the model on its device; under FSDP a twin, to be sharded.

    torch shards a model for good, so the twin takes the weights over, and the model has none until
    `take_back`. `Accelerator.prepare` brings each process's part to its device.
    """
    if accelerator.distributed_type != "FSDP":
        return model.to(accelerator.device)
    twin = copy.deepcopy(model, {id(p): p for p in model.parameters()})
    empty = {name: tensor.to("meta") for name, tensor in model.state_dict().items()}
    model.load_state_dict(empty, assign=True)
    plugin = accelerator.state.fsdp_plugin
    if plugin.transformer_cls_names_to_wrap is None:
        plugin.transformer_cls_names_to_wrap = layer_classes(model)
    return twin


def update_together(optimizer: torch.optim.Optimizer) -> None:
    """Let the optimiser take its sharded weights in lists; torch would take them one by one."""
    for group in optimizer.param_groups:
        if not group.get("fused") and any(_is_part(parameter) for parameter in group["params"]):
            group["foreach"] = True


def layer_classes(model: nn.Module) -> list[str]:
    """Return the class of the encoder's layers, gathered one at a time: its largest list's.

    transformers' own `_no_split_modules` is empty for some encoders, DeBERTa among them.
    """
    lists = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m)]
    sizes = [sum(p.numel() for p in found.parameters()) for found in lists]
    return [type(lists[sizes.index(max(sizes))][0]).__name__] if lists else []


def take_back(model: nn.Module, trained: nn.Module) -> None:
    """Give the model the weights of what `to_train` gave, whole; all processes call this."""
    if trained is not model:
        model.load_state_dict(whole(trained.state_dict()), assign=True)


def is_sharded(model: nn.Module) -> bool:
    """Return whether each process holds a part of the weights only."""
    return any(_is_part(parameter) for parameter in model.parameters())


def whole(tensors: Mapping[str, Tensor], *, keep: bool = True) -> dict[str, Tensor]:
    """Return tensors of which each process may hold a part, whole and on the CPU.

    All processes call this, since each has to send its part. Args: keep: whether this one wants
    them; without, it gets {}.
    """
    found = {}
    for name, tensor in tensors.items():
        full = gathered(tensor)
        if keep:
            found[name] = full.cpu()
    return found


def gathered(tensor: Tensor) -> Tensor:
    """Return a tensor of which each process may hold a part, whole; all processes call this."""
    return tensor.full_tensor() if _is_part(tensor) else tensor


def part(tensor: Tensor, like: Tensor) -> Tensor:
    """Return this process's part of a whole tensor, if it has but a part of `like`."""
    if not _is_part(like) or tensor.shape != like.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    # all have read the same file, so none has to send
    own = tensor.to(like.device)
    return distribute_tensor(own, like.device_mesh, like.placements, src_data_rank=None)


def _is_part(tensor: Tensor) -> TypeGuard[DTensor]:
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return False
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)
