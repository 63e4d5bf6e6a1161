"""`padding`: the share of an epoch's tokens that are padding, by how rows are put together."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.child import ask_once, serve
from benchmarks.harness import Options, Section, Table, Target

SHARE = 5.0  # per cent


def measure(options: Options) -> Section:
    """Count tokens; nothing is timed."""
    found = ask_once("benchmarks.padding", ["--rows", str(options.rows)])
    rows = tuple((what, f"{100 * share:.1f} %") for what, share in found.items())
    return Section(
        title="padding: tokens that are none",
        note=(
            "One epoch of all train rows in batches of 32. Of a batch every row is padded to the "
            "longest. `bucket_batches`: batches whose rows are sorted by length together."
        ),
        tables=(Table(("batches", "padding"), rows),),
        targets=(Target("padding as mtkd comes", 100 * found[OURS], SHARE, at_least=False,
                        unit="%"),),
        data=found,
    )  # fmt: skip


OURS, RANDOM, MAXIMUM = "mtkd as it comes", "bucket_batches=0", "padded to 128, as run_glue"


def padding(folder: Path) -> dict[str, float]:
    """Return padding's share of all tokens, by arm."""
    from benchmarks.rows import MAX_LENGTH, TASKS
    from mtkd.batching import epoch_order
    from mtkd.examples.prepared import PreparedSplit
    from mtkd.recipe import TrainingSettings

    lengths = {name: PreparedSplit(folder / f"all/{name}.arrow", 0).lengths for name in TASKS}
    real = sum(int(each.sum()) for each in lengths.values())
    found = {}
    for name, settings in (
        (OURS, TrainingSettings()),
        (RANDOM, TrainingSettings(bucket_batches=0)),
    ):
        padded = 0
        for task, numbers in epoch_order(lengths, settings, seed=1, epoch=0):
            padded += len(numbers) * int(lengths[task][numbers].max())
        found[name] = 1 - real / padded
    found[MAXIMUM] = 1 - real / (MAX_LENGTH * sum(map(len, lengths.values())))
    return found


def main() -> None:
    """Be the process that counts; the parent imports no torch."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rows", type=Path, required=True)
    given = parser.parse_args()
    serve(lambda: lambda: padding(given.rows))


if __name__ == "__main__":
    main()
