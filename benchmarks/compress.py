"""`compress`: distilling an encoder, against the machine's limit, and the time that it saves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.child import ask_once, serve_rounds
from benchmarks.encoders import seconds_of_training, sources_of
from benchmarks.harness import Options, Section, Spread, Table, Target
from benchmarks.rows import TaskRows

LAYERS, BATCH = 3, 32  # of the bundled encoder's six; rows an update
QUICK, PROFILED = 4, 32  # rows of each task
ROUNDS, TIMES = 2, 20
LOSSES = {
    "soft_mlm": {"weight": 5.0, "temperature": 2.0},
    "mlm": {"weight": 2.0},
    "cosine": {"weight": 1.0},
}


def measure(options: Options) -> Section:
    """Measure the limit, an epoch and latencies in turn."""
    quick = ["--quick"] * options.quick
    rounds = str(options.rounds_or(ROUNDS))
    found = ask_once("benchmarks.compress", ["--rows", str(options.rows), "--rounds", rounds,
                                             *quick])  # fmt: skip
    fraction = Spread.of([
        least / taken for least, taken in zip(found["least"], found["seconds"], strict=True)
    ])  # fmt: skip
    times = {name: Spread.of(values) for name, values in found["latency"].items()}
    faster = Spread.of([
        teacher / student
        for teacher, student in zip(found["latency"]["teacher, 1"], found["latency"]["student, 1"],
                                    strict=True)
    ])  # fmt: skip
    pace = found["tokens"] / Spread.of(found["seconds"]).median
    epoch = (f"{found['flops'] / 1e12:.2f}", Spread.of(found["least"]).cell(),
             Spread.of(found["seconds"]).cell(), f"{pace:,.0f}", fraction.cell())  # fmt: skip
    return Section(
        title="compress: half the layers of an encoder by the triple loss",
        note=(
            f"The bundled encoder to {LAYERS} of its 6 layers, {found['format']}, batches of "
            f"{BATCH} rows. FLOPs: the teacher's forward pass, and three times the student's, on "
            "real tokens, each with the product with the vocabulary's matrix, which the loss on "
            "words asks for at every real token; attention as in `limit`. The rate is that of "
            "torch.mm at these shapes. Latencies are of the encoder alone in float32."
        ),
        tables=(
            Table(
                ("TFLOPs", "least seconds", "seconds", "real tokens/s", "fraction reached"),
                (epoch,),
            ),
            Table(
                ("encoder, rows in a batch", "ms"),
                tuple((name, spread.cell(1)) for name, spread in times.items()),
                "Latency:",
            ),
        ),
        targets=(
            Target("fraction of the limit", fraction.median, 0.5),
            Target(
                "student's latency at batch 1 against its teacher's",
                faster.median,
                1.6,
                unit="times as fast",
            ),
        ),
        data=found,
    )


# --- in processes of their own ----------------------------------------------------------------


def measured(folder: Path, rounds: int, quick: bool) -> dict[str, Any]:
    """Return FLOPs, and by round the least seconds and those taken; latencies."""
    import torch

    from benchmarks.flops import TRAINING, Product, Shape, batch_tokens, forward_flops, matrix_rate
    from benchmarks.rows import load_rows
    from mtkd.devices import resolve_precision
    from mtkd.speed import forward_times

    rows = load_rows(folder, QUICK if quick else None)
    few = load_rows(folder, QUICK if quick else PROFILED)
    lengths = {name: r.split.lengths[r.chosen] for name, r in rows.items()}
    tokens = int(sum(each.sum() for each in lengths.values()))
    teacher, student, _ = _encoders()
    config = teacher.model.config
    words = Product(((config.hidden_size, config.vocab_size),))
    shapes = {
        layers: Shape(layers, config.hidden_size, config.intermediate_size)
        for layers in (config.num_hidden_layers, LAYERS)
    }
    encoder = {n: sum(forward_flops(s, each) for each in lengths.values())
               for n, s in shapes.items()}  # fmt: skip
    vocabulary = 2.0 * tokens * config.hidden_size * config.vocab_size
    at_once = batch_tokens(lengths.values(), BATCH)
    number_format = resolve_precision("auto")
    dtype = torch.bfloat16 if number_format == "bf16" else torch.float32
    device = "cuda" if torch.cuda.is_available() else "cpu"
    times = 2 if quick else TIMES
    _epoch(few)
    least, seconds = [], []
    latency: dict[str, list[float]] = {}
    for _ in range(rounds):
        bound = 0.0
        for layers, training, factor in ((config.num_hidden_layers, False, 1),
                                         (LAYERS, True, TRAINING)):  # fmt: skip
            rate = matrix_rate(shapes[layers], at_once, dtype, device, training=training,
                               times=times)  # fmt: skip
            bound += factor * encoder[layers] / rate
            rate = matrix_rate(words, at_once, dtype, device, training=training,
                               times=max(2, times // 4))  # fmt: skip
            bound += factor * vocabulary / rate
        least.append(bound)
        seconds.append(_epoch(rows))
        pair = {"teacher": teacher.encoder, "student": student.encoder}
        split = next(iter(rows.values())).split
        for name, taken in forward_times(pair, split, torch.device(device)).items():
            for size, milliseconds in taken.items():
                latency.setdefault(f"{name}, {size}", []).append(milliseconds)
    flops = encoder[config.num_hidden_layers] + TRAINING * encoder[LAYERS]
    flops += (1 + TRAINING) * vocabulary
    return {"flops": flops, "tokens": tokens, "least": least, "seconds": seconds,
            "latency": latency, "format": number_format}  # fmt: skip


def _encoders() -> tuple[Any, Any, Any]:
    """Return teacher, student, and the losses between them.

    The teacher's head is new, which changes no time.
    """
    import torch

    from benchmarks.rows import ENCODER
    from mtkd.distillation import DistilledEncoder, shape_of
    from mtkd.distillation.pair import make_pair
    from mtkd.distillation.smaller import smaller_encoder
    from mtkd.encoders import load_masked_lm
    from mtkd.recipe import EncoderLosses, EncoderSettings, SmallerEncoder

    torch.manual_seed(1)
    model, _ = load_masked_lm(EncoderSettings(encoder=ENCODER))
    small = smaller_encoder(model, SmallerEncoder(layers=LAYERS), 1)
    pair = make_pair(EncoderLosses.model_validate(LOSSES), shape_of(small.config.to_dict(), "s"),
                     shape_of(model.config.to_dict(), "t"))  # fmt: skip
    teacher = DistilledEncoder(model, pair.teacher).requires_grad_(False).eval()
    return teacher, DistilledEncoder(small, pair.student), pair.terms


def _epoch(rows: Mapping[str, TaskRows]) -> float:
    """Return the seconds of one epoch over all rows, as `mtkd compress` trains."""
    teacher, student, terms = _encoders()
    settings = {"epochs": 1, "batch_size": BATCH, "clip_norm": 5.0}
    return seconds_of_training(sources_of(rows), student, terms, teacher, settings)


if __name__ == "__main__":
    serve_rounds(str(__doc__), measured)
