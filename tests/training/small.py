"""A training of a second: tiny encoder, a few rows of three tasks, and ways to cut it short."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from mtkd.devices import start_accelerator
from mtkd.examples.prepared import PreparedSplit
from mtkd.inference import predict
from mtkd.model import MultiTaskModel, build_model
from mtkd.recipe import EncoderSettings, HeadSettings, TrainingSettings
from mtkd.soft_labels import SoftTargets
from mtkd.training import Evaluation, Objective, TrainingTask, train
from mtkd.training.progress import Progress
from tests.rows import QNLI, RTE, STSB, make_examples, prepare

ROWS = {"rte": 13, "stsb": 9, "qnli": 10}  # batches of 4 end in one of 1, of 1 and of 2 rows
EPOCHS, STEPS_PER_EPOCH = 3, 4 + 3  # of rte and stsb
SETTINGS = TrainingSettings(
    epochs=EPOCHS, batch_size=4, learning_rate=1e-3, precision="fp32", log_every=2, keep="last"
)


@dataclasses.dataclass(frozen=True)
class Small:
    """What trainings here have in common; `fit` runs one."""

    encoder: str
    splits: dict[str, PreparedSplit]

    def task(self, name: str, *, soft: bool = False) -> TrainingTask:
        """A task; with `soft`, all its rows but the second have soft labels."""
        card = {"rte": RTE, "stsb": STSB, "qnli": QNLI}[name]
        rows = self.splits[name]
        return TrainingTask(card, rows, soft_targets(card.num_outputs, len(rows)) if soft else None,
                            ranked=name == "qnli")  # fmt: skip

    def tasks(self) -> list[TrainingTask]:
        return [self.task("rte", soft=True), self.task("stsb")]

    def model(self, tasks: list[TrainingTask], dropout: float = 0.1) -> MultiTaskModel:
        heads = {
            t.task.name: HeadSettings(dropout=dropout, type="ranking" if t.ranked else "linear")
            for t in tasks
        }
        cards = {t.task.name: t.task for t in tasks}
        return build_model(EncoderSettings(encoder=self.encoder, dropout=dropout), cards, heads, 5)

    def fit(
        self,
        folder: Path,
        *,
        tasks: list[TrainingTask] | None = None,
        dropout: float = 0.1,
        objective: Objective | None = None,
        evaluate: Callable[[MultiTaskModel], Evaluation] | None = None,
        model: MultiTaskModel | None = None,
        **settings: Any,
    ) -> tuple[MultiTaskModel, Progress]:
        """Train a new model in `folder`, or go on with what is there."""
        tasks = tasks or self.tasks()
        chosen = TrainingSettings(**{**SETTINGS.model_dump(), **settings})
        accelerator = start_accelerator(chosen.precision, chosen.trackers, folder)
        model = model or self.model(tasks, dropout)

        def score(model: MultiTaskModel) -> Evaluation:
            means = {
                t.task.name: float(predict(model, t.task.name, t.rows, accelerator).mean())
                for t in tasks
            }
            return Evaluation(means, {f"{name}/dev": {"m": mean} for name, mean in means.items()})

        progress = train(
            model,
            tasks,
            chosen,
            objective or Objective(0.5, temperature=2.0),
            accelerator,
            seed=11,
            folder=folder,
            evaluate=evaluate or score,
            title="student",
        )
        return model, progress


def small(encoder: str, folder: Path) -> Small:
    cards = (RTE, STSB, QNLI)
    return Small(encoder, {
        c.name: prepare(make_examples(c, ROWS[c.name]), encoder, folder / f"{c.name}.arrow")
        for c in cards
    })  # fmt: skip


def soft_targets(width: int, rows: int) -> SoftTargets:
    rng = np.random.default_rng(3)
    targets = rng.dirichlet(np.ones(width), rows) if width > 1 else rng.uniform(0, 5, (rows, 1))
    targets[1] = np.nan
    return SoftTargets(targets.astype(np.float32), np.isfinite(targets).all(axis=1))


def scripted(*means: float) -> Callable[[MultiTaskModel], Evaluation]:
    """Scores that come one after another, whatever the model."""
    left = iter(means)

    def evaluate(model: MultiTaskModel) -> Evaluation:
        mean = next(left)
        return Evaluation({"rte": mean, "stsb": mean}, {"rte/dev": {"accuracy": mean}})

    return evaluate


def weights(model: MultiTaskModel) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two models have the same weights to the last bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Killed(Exception):
    """Stands for SIGKILL: no signal handler runs and nothing is saved on the way out.

    What was written is there, flushed or not: what a power cut leaves is not shown by it. Processes
    that are killed indeed are in tests/faults.
    """


@contextmanager
def after_step(number: int, act: Callable[[], None]) -> Iterator[None]:
    """Do something right after the optimiser's step of that number, counted from 1."""
    done = 0

    def count(*_: object) -> None:
        nonlocal done
        done += 1
        if done == number:
            act()

    handle = register_optimizer_step_post_hook(count)
    try:
        yield
    finally:
        handle.remove()


def killed() -> None:
    raise Killed


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
