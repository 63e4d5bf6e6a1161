"""`stream`: what each method of `mtkd lifelong` costs an update, beside learning words alone."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.child import ask_once, serve_rounds
from benchmarks.encoders import Blocks, Source, seconds_of_training, sources_of
from benchmarks.harness import Options, Section, Spread, Table, Target, ratio

BATCH, UPDATES, QUICK = 32, 20, 2  # rows of an update, updates of an arm
ROUNDS = 3
QUEUE, WIDTH, TOKENS, TIMES = 65_536, 384, 128, 10
PLAIN = "sequential"
# method, whether texts are embedded with masks, and how many times as long it may take
ARMS: Mapping[str, tuple[str, str, float | None]] = {
    PLAIN: (PLAIN, "masked", None),
    "logit": ("logit", "masked", 1.45),
    "representation": ("representation", "masked", 1.45),
    "contrastive": ("contrastive", "masked", 2.4),
    "contrastive, unmasked": ("contrastive", "unmasked", 3.3),
    "seed": ("seed", "masked", 2.4),
    "seed, unmasked": ("seed", "unmasked", 3.3),
    "seed_logit": ("seed_logit", "masked", None),
}


def measure(options: Options) -> Section:
    """Measure all methods in turn, then the queue beside an update of long rows."""
    found = ask_once("benchmarks.stream", [
        "--rows", str(options.rows), "--rounds", str(options.rounds_or(ROUNDS)),
        *["--quick"] * options.quick,
    ])  # fmt: skip
    seconds = found["seconds"]
    over = {arm: ratio(taken, seconds[PLAIN]) for arm, taken in seconds.items()}
    queue = Spread.of([100 * q / s for q, s in zip(found["queue"], found["update"], strict=True)])
    rows = tuple(
        (arm, Spread.of([1000 * s / found["updates"] for s in taken]).cell(0), over[arm].cell())
        for arm, taken in seconds.items()
    )
    bounds = {arm: bound for arm, (_, _, bound) in ARMS.items() if bound is not None}
    return Section(
        title="stream: methods of lifelong pre-training beside learning words alone",
        note=(
            f"The bundled encoder, {found['format']}, {found['updates']} updates on batches of "
            f"{BATCH} rows of RTE, MRPC, CoLA and STS-B, the optimiser's part included, and a "
            f"queue of {QUEUE:,} embeddings that begins empty. Masked: one of SimCSE's two passes "
            "is the one that learns words. Ratios are of the same round. The queue's part, full: "
            f"the loss over it, its derivative and putting {BATCH} in, without any encoder, beside "
            f"an update of {BATCH} x {TOKENS} tokens that learns words alone."
        ),
        tables=(
            Table(("method", "ms an update", f"times {PLAIN}"), rows),
            Table(("queue", "ms", "ms of an update", "per cent"), ((
                f"{QUEUE:,} x {WIDTH}",
                Spread.of([1000 * s for s in found["queue"]]).cell(1),
                Spread.of([1000 * s for s in found["update"]]).cell(0),
                queue.cell(1),
            ),)),
        ),
        targets=(
            *(Target(f"{arm} beside {PLAIN}", over[arm].median, bound, at_least=False, unit="times")
              for arm, bound in bounds.items()),
            Target("queue's part of an update", queue.median, 3.0, at_least=False, unit="%"),
        ),
        data=found,
    )  # fmt: skip


# --- in a process of its own ------------------------------------------------------------------


def measured(folder: Path, rounds: int, quick: bool) -> dict[str, Any]:
    """Return the seconds of each method and of the queue, by round."""
    import numpy as np

    from benchmarks.rows import load_rows
    from mtkd.devices import resolve_precision

    updates = QUICK if quick else UPDATES
    rows = load_rows(folder)
    short, blocks = sources_of(rows), Blocks(rows.values(), TOKENS)
    long = [Source(blocks, "blocks", np.arange(len(blocks.lengths)))]
    seconds: dict[str, list[float]] = {arm: [] for arm in ARMS}
    queue, update = [], []
    _arm(short, PLAIN, "masked", QUICK)
    for _ in range(rounds):
        for arm, (method, inputs, _) in ARMS.items():
            seconds[arm].append(_arm(short, method, inputs, updates))
        update.append(_arm(long, PLAIN, "masked", updates) / updates)
        queue.append(_queue(QUICK if quick else TIMES))
    return {"seconds": seconds, "queue": queue, "update": update, "updates": updates,
            "format": resolve_precision("auto")}  # fmt: skip


def _arm(sources: Sequence[Source], method: str, inputs: str, updates: int) -> float:
    """Return the seconds of some updates by a method, from a stream's second corpus on."""
    import torch

    from benchmarks.rows import ENCODER
    from mtkd.distillation import DistilledEncoder, Needs, shape_of
    from mtkd.distillation.pair import make_pair
    from mtkd.encoders import load_masked_lm
    from mtkd.recipe import EmbeddingSettings, EncoderSettings, load_recipe

    def encoder() -> Any:
        torch.manual_seed(1)
        return load_masked_lm(EncoderSettings(encoder=ENCODER))[0]

    own = encoder()
    shape = shape_of(own.config.to_dict())
    losses = load_recipe("lifelong_tiny", [f"method={method}"]).weighted_losses
    pair = make_pair(losses, shape, shape)
    student = DistilledEncoder(own, pair.student, queue=QUEUE if pair.queued else 0)
    teacher = None
    if pair.teacher != Needs():
        teacher = DistilledEncoder(encoder(), pair.teacher).requires_grad_(False).eval()
    settings = {"max_steps": updates, "batch_size": BATCH}
    embeddings = EmbeddingSettings(inputs=inputs, queue=QUEUE)
    return seconds_of_training(sources, student, pair.terms, teacher, settings, embeddings)


def _queue(times: int) -> float:
    """Return the median seconds of a full queue's part of an update."""
    import torch

    from benchmarks.machine import clock
    from mtkd.distillation.queue import EmbeddingQueue
    from mtkd.losses import seed_distillation

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(1)
    queue = EmbeddingQueue(QUEUE, WIDTH).to(device)
    queue.push(torch.randn(QUEUE, WIDTH, device=device))
    taken = []
    for _ in range(1 + times):
        own = torch.randn(BATCH, WIDTH, device=device, requires_grad=True)
        other = torch.randn(BATCH, WIDTH, device=device)
        started = clock()
        loss, divergence = seed_distillation(own, other, queue.filled, 0.2, 0.01)
        loss.mean().backward()
        divergence.sum().detach()
        queue.push(other)
        taken.append(clock() - started)
    return statistics.median(taken[1:])


if __name__ == "__main__":
    serve_rounds(str(__doc__), measured)
