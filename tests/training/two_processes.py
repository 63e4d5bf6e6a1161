"""Two processes that train, are stopped and go on: how they are launched, and what each does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from mtkd.devices import start_accelerator
from mtkd.errors import Interrupted
from mtkd.model import MultiTaskModel
from mtkd.training.best import BestWeights
from mtkd.training.progress import Progress
from tests.training.small import Small, after_step, small, terminate, weights

OPTIONS = {
    "dropout": 0.0, "accumulation": 2, "epochs": 2, "learning_rate": 1e-3, "keep": "best",
    "keep_best_per_task": True, "trackers": ("tensorboard",), "save_every": "3 steps",
}  # fmt: skip


def launch(encoder: str, folder: Path, **environment: str) -> list[str]:
    """Run `main` in two processes on CPUs, as a launcher would; return what each printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {
        **os.environ, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", **environment,
    }  # fmt: skip
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.two_processes", encoder, str(folder)],
            env={**common, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in ("0", "1")
    ]
    try:
        printed = [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, text in zip(processes, printed, strict=True):
        assert process.returncode == 0, text
    return printed


def log_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]


def expect_trajectory(found: Path, expected: Path) -> None:
    """Every update of two runs has the same loss, and the same gradient norm."""
    lines = [[line for line in log_of(run) if "task" in line] for run in (found, expected)]
    assert [(x["step"], x["task"], x["lr"]) for x in lines[0]] == [
        (x["step"], x["task"], x["lr"]) for x in lines[1]
    ]
    torch.testing.assert_close(
        *[torch.tensor([line["loss"] for line in run]) for run in lines], rtol=0, atol=1e-5
    )
    torch.testing.assert_close(
        *[torch.tensor([line["gradient_norm"] for line in run]) for run in lines],
        rtol=1e-5, atol=1e-5,
    )  # fmt: skip


def expect_close(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Two models have the same weights, but for rounding."""
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        # its true gradient is zero, and Adamax makes steps of what rounding leaves
        if not name.endswith("key.bias"):
            torch.testing.assert_close(found[name], weight, rtol=0, atol=1e-5)


def go(
    data: Small, folder: Path, model: MultiTaskModel | None = None
) -> tuple[MultiTaskModel, Progress]:
    """Train on all three tasks, soft, gold and ranked; batches of 4 end in one of 1 row."""
    tasks = [data.task(n, soft=n == "rte") for n in data.splits]
    model = model or data.model(tasks, OPTIONS["dropout"])
    return data.fit(folder, tasks=tasks, model=model, **OPTIONS)


def bytes_held(model: MultiTaskModel, optimizer: torch.optim.Optimizer) -> int:
    """What this process holds of weights, gradients and optimiser state."""
    held = [*model.parameters(), *(p for g in optimizer.param_groups for p in g["params"])]
    held += [p.grad for p in held if p.grad is not None]
    held += [value for state in optimizer.state.values() for value in state.values()]
    own = [t.to_local() if hasattr(t, "to_local") else t for t in held if not t.is_meta]
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage() for t in own}
    return sum(storage.nbytes() for storage in storages.values())


def main(encoder: str, folder: Path) -> None:
    torch.set_num_threads(1)
    accelerator = start_accelerator("fp32")
    rank = accelerator.process_index
    data = small(encoder, folder / f"rows-{rank}")

    held: list[int] = []
    model = data.model([data.task(name) for name in data.splits], OPTIONS["dropout"])
    hook = register_optimizer_step_post_hook(lambda o, *_: held.append(bytes_held(model, o)))
    model, progress = go(data, folder / "straight", model)
    hook.remove()
    (folder / f"held-{rank}.json").write_text(json.dumps(held), "utf-8")
    save_file(weights(model), folder / f"straight-{rank}.safetensors")
    if accelerator.is_main_process:
        (folder / "history.json").write_text(json.dumps(progress.history), "utf-8")
        # the main process alone, as the writer of a finished model does
        kept = BestWeights(folder / "straight/kept", accelerator, progress.kept)
        kept.load_into(model, "stsb")
    accelerator.wait_for_everyone()

    stopped_at = -1 if rank == 0 else 5  # the signal reaches one process only
    try:
        with after_step(stopped_at, terminate):
            go(data, folder / "resumed")
        raise AssertionError("was not stopped")
    except Interrupted as error:
        print(error)
    model, _ = go(data, folder / "resumed")
    save_file(weights(model), folder / f"resumed-{rank}.safetensors")
    accelerator.wait_for_everyone()
    accelerator.state.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
