"""Models and rows of any size, made up on the spot, and what a step of them really takes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import BertConfig, BertModel

from mtkd.devices import keep_freed_memory
from mtkd.model import MultiTaskModel
from mtkd.optim import build_optimizer
from mtkd.recipe import TrainingSettings
from mtkd.training.checkpointing import set_checkpointing
from mtkd.training.memory.need import estimated_need, fixed_bytes, undisturbed

HEAD = {"type": "linear", "outputs": 2, "dropout": 0.1, "pooling": "first", "labels": ["a", "b"],
        "positive": None, "steps": 2, "step_dropout": 0.1}  # fmt: skip
CPU = torch.device("cpu")


@dataclasses.dataclass(frozen=True)
class MadeUpRows:
    """Rows of random tokens of the given lengths."""

    lengths: NDArray[np.int64]
    groups: NDArray[np.int64]

    def batch(self, rows: NDArray[np.int64]) -> dict[str, Tensor]:
        width = int(self.lengths[rows].max())
        mask = torch.as_tensor(np.arange(width) < self.lengths[rows][:, None]).long()
        ids = torch.as_tensor((np.asarray(rows)[:, None] * 7 + np.arange(width)) % 90 + 5)
        return {"input_ids": ids * mask, "attention_mask": mask, "segments": mask}


def made_up_task(lengths: list[int], name: str = "t", ranked: bool = False) -> Any:
    """Stands for a TrainingTask."""
    rows = MadeUpRows(np.array(lengths), np.arange(len(lengths)) // 2)
    return SimpleNamespace(name=name, rows=rows, ranked=ranked, places=np.arange(len(lengths)))


def made_up_model(*names: str, dropout: float = 0.1, width: int = 32, layers: int = 2,
                  encoder: type = BertModel, **heads: dict) -> MultiTaskModel:  # fmt: skip
    torch.manual_seed(4)
    config = BertConfig(
        vocab_size=100, hidden_size=width, num_hidden_layers=layers, intermediate_size=4 * width,
        num_attention_heads=4, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
    )  # fmt: skip
    return MultiTaskModel(encoder(config), dict.fromkeys(names or ("t",), HEAD) | heads)


def forward_of(model: MultiTaskModel, precision: str = "fp32") -> Any:
    """The mean loss of some rows of a task."""

    def forward(task: Any, rows: NDArray[np.int64]) -> Tensor:
        bf16 = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")
        with bf16 if precision == "bf16" else contextlib.nullcontext():
            return model(task.name, **task.rows.batch(rows)).square().mean()

    return forward


def is_checkpointing(model: MultiTaskModel) -> bool:
    return any(getattr(module, "gradient_checkpointing", False) for module in model.modules())


def compare(checkpointing: bool) -> tuple[float, float]:
    """Return the bytes estimated for a step, and those that the process grew by in two of them."""
    keep_freed_memory()  # as in any training
    rows, task = 48, made_up_task([64] * 40 + [50] * 8)
    model = made_up_model(width=256, layers=4)
    optimizer = build_optimizer(model, TrainingSettings())
    forward = forward_of(model)
    with undisturbed(model, CPU):
        need = estimated_need(model, {"t": task}, forward, fixed_bytes(model, optimizer))
        estimated = need({"t": rows}, checkpointing)
    set_checkpointing(model, checkpointing)
    model.train()
    forward(task, np.arange(1)).backward()  # what libraries take at first use is none of ours
    optimizer.zero_grad()
    before = psutil.Process().memory_info().rss
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    for _ in range(2):
        forward(task, np.arange(rows)).backward()
        optimizer.step()
        optimizer.zero_grad()
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    (peak,) = (int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    return estimated, peak - before


if __name__ == "__main__":
    import sys

    torch.set_num_threads(1)
    print(json.dumps(compare(sys.argv[1] == "True")))
