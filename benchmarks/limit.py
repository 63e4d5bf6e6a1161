"""`limit`: the least time that the machine's matrix products allow, and how near mtkd comes."""

from __future__ import annotations

from pathlib import Path

from benchmarks.child import ask_once, serve_rounds
from benchmarks.harness import Options, Section, Spread, Table, Target

QUICK, PROFILED = 4, 64  # rows of each task
ROUNDS = 2
TIMES = 20  # each matrix product
TARGETS = {"training": 0.5, "scoring": 0.75}


def measure(options: Options) -> Section:
    """Measure rate, epoch and scoring in turn, then profile, all in one process."""
    found = ask_once("benchmarks.limit", [
        "--rows", str(options.rows), "--rounds", str(options.rounds_or(ROUNDS)),
        *["--quick"] * options.quick,
    ])  # fmt: skip
    rows = []
    for what in TARGETS:
        rates, seconds = found[what]["rate"], found[what]["seconds"]
        least = [found[what]["flops"] / rate for rate in rates]
        rows.append((
            what,
            f"{found[what]['flops'] / 1e12:.2f}",
            str(found[what]["tokens"]),
            Spread.of([rate / 1e9 for rate in rates]).cell(0),
            Spread.of(least).cell(2),
            Spread.of(seconds).cell(2),
            _fractions(found[what]).cell(2),
        ))  # fmt: skip
    columns = ("part", "TFLOPs", "tokens a batch", "GFLOP/s of mm", "least seconds", "seconds",
               "fraction reached")  # fmt: skip
    profiles = found["profile"]
    groups = {group: None for part in profiles.values() for group in part}
    shares = tuple(
        (group, *(f"{100 * profiles[what].get(group, 0.0):.1f} %" for what in TARGETS))
        for group in groups
    )
    return Section(
        title="limit: against the machine's own matrix products",
        note=(
            f"Number format {found['format']}. FLOPs of the encoder alone on real tokens: linear "
            "layers, and attention products on each row's own length; three times that in "
            "training. The rate is that of torch.mm at the linear layers' shapes, forward and in "
            "training both backward products, at the median number of real tokens of a batch of 32 "
            "rows; in scoring at the tokens that mtkd scores at once. "
            "Embeddings, LayerNorm, GELU, softmax, dropout, the optimiser and all data count as "
            "nothing in the least time. Rate, epoch and scoring are measured in turn. Shares are "
            "torch.profiler's, of the wall time of a part of the epoch."
        ),
        tables=(
            Table(columns, tuple(rows)),
            Table(("where the time goes", *TARGETS), shares, "Shares of the time:"),
        ),
        targets=tuple(
            Target(f"fraction of the limit in {what}", _fractions(found[what]).median, bound)
            for what, bound in TARGETS.items()
        ),
        data=found,
    )


def _fractions(part: dict[str, list[float]]) -> Spread:
    pairs = zip(part["rate"], part["seconds"], strict=True)
    return Spread.of([part["flops"] / rate / seconds for rate, seconds in pairs])  # type: ignore[operator]


# --- in a process of its own ------------------------------------------------------------------


def measured(folder: Path, rounds: int, quick: bool) -> dict[str, object]:
    """Return rates, seconds and FLOPs of training and scoring, and both profiles."""
    import numpy as np
    import torch

    from benchmarks import ours
    from benchmarks.flops import TRAINING, Shape, batch_tokens, forward_flops, matrix_rate
    from benchmarks.rows import fresh_model, load_rows
    from benchmarks.where import shares
    from mtkd.devices import resolve_precision
    from mtkd.inference import CPU_TOKENS, GPU_TOKENS

    rows = load_rows(folder, QUICK if quick else None)
    few = load_rows(folder, QUICK if quick else PROFILED)
    model = fresh_model()
    config = model.encoder.config
    shape = Shape(config.num_hidden_layers, config.hidden_size, config.intermediate_size)
    lengths = {name: r.split.lengths[r.chosen] for name, r in rows.items()}
    flops = sum(forward_flops(shape, each) for each in lengths.values())
    number_format = resolve_precision("auto")
    dtype = torch.bfloat16 if number_format == "bf16" else torch.float32
    device = "cuda" if torch.cuda.is_available() else "cpu"
    everything = np.concatenate(list(lengths.values()))
    at_once = GPU_TOKENS if device == "cuda" else CPU_TOKENS * torch.get_num_threads()
    parts = {
        "training": {
            "flops": TRAINING * flops,
            "tokens": batch_tokens(lengths.values(), ours.BATCH),
            "run": lambda: ours.train_epoch(rows),
        },
        "scoring": {
            "flops": flops,
            "tokens": min(at_once, int(everything.sum())),
            "run": lambda: ours.score(rows, [model]),
        },
    }
    ours.train_epoch(few)
    ours.score(few, [model])
    found = {}
    for what, part in parts.items():
        found[what] = {"flops": part["flops"], "tokens": part["tokens"], "rate": [], "seconds": []}
    for _ in range(rounds):
        for what, part in parts.items():
            rate = matrix_rate(shape, part["tokens"], dtype, device, training=what == "training",
                               times=2 if quick else TIMES)  # fmt: skip
            found[what]["rate"].append(rate)
            found[what]["seconds"].append(part["run"]())
    profile = {
        "training": shares(ours.epoch(few)),
        "scoring": shares(lambda: ours.score(few, [model])),
    }
    return {**found, "profile": profile, "format": number_format}


if __name__ == "__main__":
    serve_rounds(str(__doc__), measured)
