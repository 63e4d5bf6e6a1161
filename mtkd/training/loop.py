"""Algorithm 1 of MT-DNN (arXiv 1901.11504): one update a batch, each batch of one task."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mtkd.batching import ahead, count_steps, epoch_order
from mtkd.errors import Interrupted
from mtkd.optim import build_optimizer, clip_gradients, defer_rows, set_learning_rates
from mtkd.recipe import TrainingSettings, derive_seed
from mtkd.sharding import gathered, is_sharded, take_back, to_train, update_together
from mtkd.training.best import BestWeights
from mtkd.training.compiled import compile_encoder
from mtkd.training.cut import Piece
from mtkd.training.goal import Goal, Source, Trained
from mtkd.training.journal import Journal
from mtkd.training.memory import FreedMemory, asked_of_memory, plan_memory, recorded_plan
from mtkd.training.progress import Evaluation, Progress, end_epoch
from mtkd.training.signals import StopRequests
from mtkd.training.state import SavedState, anywhere
from mtkd.training.watch import check_heads, check_weights, head_prints

if TYPE_CHECKING:
    from accelerate import Accelerator

log = logging.getLogger(__name__)

S = TypeVar("S", bound=Source)
M = TypeVar("M", bound=Trained)


def train(
    model: M,
    sources: Sequence[S],
    settings: TrainingSettings,
    goal: Goal[S],
    accelerator: Accelerator,
    *,
    seed: int,
    folder: Path,
    evaluate: Callable[[M], Evaluation],
    title: str,
) -> Progress:
    """Train `model` in place, on all tasks at once; it ends with the weights to be kept.

    The state is saved in `folder` as `save_every` says and at SIGINT or SIGTERM. Called again with
    the same arguments it goes on from there and ends with the same weights, since the order of
    batches and dropout follow from `seed` and the number of the update.

    Args: evaluate: scores the model on dev; called after each epoch. title: for bar and log.
    Returns: the best scores, and the history of evaluations.
    Raises: Diverged: a loss, gradient or weight is NaN or infinite. RunFailed: no head moves.
        RecipeError: every task weighs 0, or memory does not suffice. Interrupted: after a signal,
        once saved.
    """
    by_name = {source.name: source for source in sorted(sources, key=lambda source: source.name)}
    lengths = {name: s.rows.lengths[s.places] for name, s in by_name.items()}
    groups = {name: s.rows.groups[s.places] for name, s in by_name.items() if s.ranked}
    check_weights(list(by_name), settings, title)

    trained = to_train(model, accelerator)
    optimizer = build_optimizer(trained, settings)
    alone_on_cpu = accelerator.device.type == "cpu" and accelerator.num_processes == 1
    deferred = defer_rows(trained.encoder, trained, optimizer) if alone_on_cpu else None
    parallel, optimizer = accelerator.prepare(trained, optimizer)
    update_together(optimizer)
    # Only now: prepare would move the optimiser's step counters to the GPU, one wait each a step.
    state = SavedState(folder / "checkpoint", trained, optimizer, deferred, accelerator,
                       settings.save_interval)  # fmt: skip
    progress = state.load()
    best = BestWeights(folder / "kept", accelerator, progress.kept)
    best.check()
    best.drop_others()  # of a lost attempt that came further than its last save
    steps = progress.steps = progress.steps or count_steps(lengths, settings, seed, groups)
    if progress.step:
        log.info("%s: goes on from step %d of %d", title, progress.step, steps)
    else:
        progress.heads = head_prints(trained)

    def forward(source: S, rows: NDArray[np.int64]) -> Tensor:
        piece = goal.whole(source, rows, accelerator)
        # past `parallel`: nothing is reduced
        return goal.loss(trained, source, piece, 1.0, 0.0, accelerator)[0]

    with (
        _without_padding(trained, settings),
        deferred.as_they_are() if deferred else contextlib.nullcontext(),
    ):
        plan = plan_memory(
            trained,
            optimizer,
            list(by_name.values()),
            settings,
            accelerator,
            forward,
            title=title,
            recorded=recorded_plan(progress.memory, progress.asked, settings),
        )
    if progress.memory and progress.memory["accumulation"] != plan.accumulation:
        log.warning("%s: goes on with training.accumulation=%d, after %d until step %d: dropout "
                    "draws otherwise, so the weights will not be those of a run in one go",
                    title, plan.accumulation, progress.memory["accumulation"],
                    progress.step)  # fmt: skip
    progress.memory, progress.asked = dataclasses.asdict(plan), asked_of_memory(settings)
    settings = plan.apply(settings)
    # sharded layers come and go, and jagged rows have no shape to compile for
    choice = "off" if trained is not model or settings.unpad else settings.compile
    compiled = compile_encoder(trained, choice, steps, accelerator.device)
    journal = Journal(folder / "log.jsonl", title, by_name, bool(settings.trackers), accelerator)
    state.start_clock()
    freed = FreedMemory(plan.needed_bytes, accelerator.device)

    def save() -> None:
        journal.flush()  # nothing after a NaN may take the place of the last good state
        progress.log = journal.synced()
        state.save(progress, title)
        best.drop_others()  # only now: the state before may have named them

    def watch_heads() -> None:
        check_heads(progress.heads, trained, optimizer, progress.updates, settings, title)

    def stop_if_asked() -> None:
        if anywhere(stop.asked, accelerator):
            save()
            accelerator.wait_for_everyone()  # a launcher ends all processes when the first is gone
            raise Interrupted(f"{title}: saved at step {progress.step} of {steps}")

    def share_out(
        item: tuple[int, tuple[str, NDArray[np.int64]]],
    ) -> tuple[str, NDArray[np.int64], list[Piece]]:
        step, (name, numbers) = item
        source = by_name[name]
        rows = source.places[numbers]
        return name, rows, goal.pieces(source, rows, step, settings.accumulation, accelerator)

    with (
        _without_padding(trained, settings),
        contextlib.closing(deferred) if deferred else contextlib.nullcontext(),
        StopRequests() as stop,
        journal.running(progress.step, steps, progress.log),
    ):
        while not progress.is_finished(settings):
            order = epoch_order(lengths, settings, seed, progress.epoch, groups)
            trained.train()
            last = progress.position + steps - progress.step  # within an epoch, by `max_steps`
            left = enumerate(order[progress.position : last], progress.step)
            for name, rows, pieces in ahead(share_out, left):
                rate = set_learning_rates(optimizer, progress.step, steps, settings)
                torch.manual_seed(
                    derive_seed(seed, "dropout", progress.step, accelerator.process_index)
                )
                loss, terms, norm = _update(parallel, optimizer, by_name[name], pieces, settings,
                                            goal, progress.step / steps, accelerator)  # fmt: skip
                goal.end_update(trained)
                freed.give_back()
                progress.step += 1
                progress.position += 1
                progress.updates[name] = progress.updates.get(name, 0) + 1
                line = {"step": progress.step, "epoch": progress.epoch, "task": name, "lr": rate}
                journal.record(line, rows, loss, norm, terms)
                looked = progress.step % settings.log_every == 0
                if looked:
                    journal.flush()
                if looked or accelerator.num_processes == 1:  # asking all processes costs a sync
                    stop_if_asked()
                if state.is_due(progress.step, looked):
                    save()
            journal.flush()
            if progress.epoch == 0:
                watch_heads()
            if deferred:
                deferred.settle()  # so that an evaluation, which looks rows up, leaves no trace
            with torch.compiler.set_stance("force_eager" if compiled else "default"):
                found = evaluate(trained)  # as any model is scored: not by programs of its own
            end_epoch(progress, found, trained, settings, best, journal)
            stop_if_asked()
            if state.exists():
                save()  # else a resume would train or score this epoch again
            else:
                best.drop_others()
    if progress.epoch > 1:
        watch_heads()
    if progress.is_stalled(settings):
        log.info("%s: no better mean score in %d epochs, stops", title, settings.early_stopping)
    if settings.keep == "best":
        accelerator.wait_for_everyone()  # the main process may still be writing them
        best.load_into(trained)
    accelerator.unwrap_model(parallel, keep_fp32_wrapper=False)
    take_back(model, trained)
    return progress


def _update(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    source: S,
    pieces: Sequence[Piece],
    settings: TrainingSettings,
    goal: Goal[S],
    done: float,
    accelerator: Accelerator,
) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """Take one step on one batch.

    Returns: its loss; what that is the sum of, by name; the gradient's norm before clipping.
    """
    weight = settings.task_weights.get(source.name, 1.0)
    total = torch.zeros((), device=accelerator.device)
    terms: dict[str, Tensor] = {}
    for number, piece in enumerate(pieces):
        last = number == len(pieces) - 1
        # sharded, a gradient that waits would be whole on every process
        apart = not (last or is_sharded(model))
        with accelerator.no_sync(model) if apart else contextlib.nullcontext():
            loss, parts = goal.loss(model, source, piece, weight, done, accelerator)
            accelerator.backward(loss)
        total += loss.detach()
        for name, part in parts.items():
            terms[name] = terms.get(name, 0.0) + part.detach()
    norm = clip_gradients(model.parameters(), settings.clip_norm)
    optimizer.step()
    optimizer.zero_grad()
    return total, terms, gathered(torch.as_tensor(norm).detach())


def _without_padding(
    model: Trained, settings: TrainingSettings
) -> contextlib.AbstractContextManager[None]:
    return model.without_padding() if settings.unpad else contextlib.nullcontext()
