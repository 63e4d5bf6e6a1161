"""What a training run says of itself: a progress bar, log.jsonl, trackers; and a watch for NaN."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from mtkd.artifacts import flush_all, write_file
from mtkd.errors import Diverged, RunDirError
from mtkd.progress import progress_bar
from mtkd.training.goal import Source

if TYPE_CHECKING:
    from accelerate import Accelerator

_MOST_NAMES = 100  # of rows in a message
_SMOOTHING = 0.9  # of the losses on the bar


class Journal:
    """Collects losses as tensors and reads them together, so that a GPU need not wait each step.

    log.jsonl holds one line an update (step, epoch, task, loss, gradient norm, learning rate) and
    one an evaluation. It holds no times, so that two runs of a recipe write the same bytes.
    """

    def __init__(
        self,
        path: Path,
        title: str,
        tasks: Mapping[str, Source],
        trackers: bool,
        accelerator: Accelerator,
    ) -> None:
        self._path = path
        self._title = title
        self._tasks = tasks
        self._trackers = trackers
        self._accelerator = accelerator
        self._pending: list[tuple[dict[str, Any], NDArray[Any], dict[str, Tensor]]] = []
        self._smooth: dict[str, float] = {}
        self._bar: tqdm | None = None
        self._size, self._digest = 0, hashlib.sha256()  # of what is written

    @contextmanager
    def running(self, step: int, steps: int, saved: Mapping[str, Any]) -> Iterator[None]:
        """Show the bar from `step` of `steps`; drop log lines of what is done anew.

        Args: saved: what `synced` gave when `step` was saved; empty where nothing was.
        Raises: RunDirError: the log is not as it was then.
        """
        main = self._accelerator.is_main_process
        if main:
            kept = _as_saved(self._path, step, saved)
            write_file(self._path, kept)
            self._size, self._digest = len(kept), hashlib.sha256(kept)
        if self._trackers:
            self._accelerator.init_trackers(self._title.replace("/", "-"))
        self._bar = progress_bar(steps, self._title, "step", shown=main, done=step)
        try:
            yield
        finally:
            self._bar.close()
            # not Accelerator.end_training, which ends the group of processes as well
            for tracker in self._accelerator.trackers if main else []:
                tracker.finish()

    def record(
        self,
        line: dict[str, Any],
        rows: NDArray[Any],
        loss: Tensor,
        gradient_norm: Tensor,
        terms: Mapping[str, Tensor],
    ) -> None:
        """Note one update; the tensors are read later.

        Args: line: has at least step, epoch, task. terms: what the loss is the sum of, by name.
        """
        numbers = {"loss": loss, "gradient_norm": gradient_norm, **terms}
        self._pending.append((line, rows, numbers))
        assert self._bar is not None
        self._bar.update()

    def flush(self) -> None:
        """Read what is pending, check it, write it. All processes call this at the same step.

        Raises: Diverged: when a loss or a gradient is NaN or infinite, with step, task and guids.
        """
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        numbers = torch.stack([tensor.float() for _, _, own in pending for tensor in own.values()])
        values = iter(self._accelerator.reduce(numbers, "mean").tolist())
        lines: list[dict[str, Any]] = []
        for line, rows, own in pending:
            found = {name: next(values) for name in own}
            if not (math.isfinite(found["loss"]) and math.isfinite(found["gradient_norm"])):
                self._write(lines)  # what led there
                self._refuse(line, rows, found)
            lines.append(line | {name: round(value, 6) for name, value in found.items()})
            for name in _shown(found):
                self._smoothen(line["task"] if name == "loss" else name, found[name])
        self._write(lines)
        assert self._bar is not None
        shown = " ".join(f"{task} {loss:.3f}" for task, loss in sorted(self._smooth.items()))
        self._bar.set_postfix_str(f"lr {lines[-1]['lr']:.1e}, loss {shown}", refresh=False)

    def evaluation(self, step: int, epoch: int, metrics: Mapping[str, Mapping[str, float]]) -> None:
        """Write an evaluation's line."""
        self._write([{"step": step, "epoch": epoch, "dev": metrics}])

    def synced(self) -> dict[str, Any]:
        """Have the log written to the disk itself; return its size and SHA-256.

        It is a part of what training makes, so a state must not be on disk before its lines are.
        """
        if self._accelerator.is_main_process:
            flush_all(self._path)
        return {"bytes": self._size, "sha256": self._digest.hexdigest()}

    def _write(self, lines: list[dict[str, Any]]) -> None:
        if self._accelerator.is_main_process:
            content = "".join(json.dumps(line) + "\n" for line in lines).encode()
            with self._path.open("ab") as file:
                file.write(content)
            self._size += len(content)
            self._digest.update(content)
        if self._trackers:
            for line in lines:
                self._accelerator.log(_flat(line), step=line["step"])

    def _smoothen(self, name: str, value: float) -> None:
        before = self._smooth.get(name, value)
        self._smooth[name] = _SMOOTHING * before + (1 - _SMOOTHING) * value

    def _refuse(self, line: dict[str, Any], rows: NDArray[Any], found: dict[str, float]) -> None:
        guids = self._tasks[line["task"]].rows.guids
        names = ", ".join(guids[row] for row in rows[:_MOST_NAMES])
        names += f" and {len(rows) - _MOST_NAMES} more" * (len(rows) > _MOST_NAMES)
        terms = "".join(f", {name} {found[name]}" for name in _shown(found) if name != "loss")
        raise Diverged(
            f"{self._title}: loss {found['loss']}{terms}, gradient norm {found['gradient_norm']} "
            f"at step {line['step']}, task "
            f"{line['task']}, on {len(rows)} rows: {names}. Nothing after the last save is kept; "
            "lower training.learning_rate, or set training.precision=fp32, and run again"
        )


def _as_saved(path: Path, step: int, saved: Mapping[str, Any]) -> bytes:
    """Return the part of the log that was there when `step` was saved."""
    if not saved:
        return b""
    there = path.read_bytes() if path.exists() else b""
    kept = there[: saved["bytes"]]
    if hashlib.sha256(kept).hexdigest() != saved["sha256"]:
        short = len(kept) < saved["bytes"]
        found = (
            f"has {len(kept)} of its {saved['bytes']} bytes" if short else "its checksum differs"
        )
        raise RunDirError(f"{path}: not as it was when step {step} was saved ({found}); delete "
                          f"{path.parent} to begin it anew")  # fmt: skip
    return kept


def _shown(found: Mapping[str, float]) -> list[str]:
    """Return the terms of the loss, or "loss" where it is of one."""
    return sorted(set(found) - {"loss", "gradient_norm"}) or ["loss"]


def _flat(line: Mapping[str, Any]) -> dict[str, float]:
    """Return "loss/rte", "dev/rte/accuracy" and the like for trackers."""
    if "dev" in line:
        found = {f"dev/{t}/{m}": v for t, scores in line["dev"].items() for m, v in scores.items()}
        return {**found, "epoch": line["epoch"]}
    known = {"step", "epoch", "task", "lr", "loss", "gradient_norm"}
    terms = {f"{name}/{line['task']}": value for name, value in line.items() if name not in known}
    return {f"loss/{line['task']}": line["loss"], **terms, "lr": line["lr"],
            "gradient_norm": line["gradient_norm"]}  # fmt: skip
