"""`python -m benchmarks.saving`: what saving a training's state costs, and how soon a resume steps.

The bundled encoder is trained on the sample's rows and saved every few updates; then it is stopped
and goes on. Steps, saves, and the time from a loaded state to the first new update are taken from
one training. The order of batches, which a resume makes anew, is also timed at the sizes of GLUE.
Writes its section into benchmarks/results/bench-<date>-<time>.json and .md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from benchmarks.harness import RESULTS, Options, Section, Spread, Table, Target
from benchmarks.rows import TaskRows, fresh_model, load_rows, prepare
from benchmarks.steps import watch_steps

if TYPE_CHECKING:
    from mtkd.training.progress import Progress

SHARE = 0.02  # of training time, at the default interval
RESUME_SECONDS = 5.0
EVERY, SAVES = 5, 6  # updates between two saves, and how many are counted
BATCH = 32
# train rows of the ten tasks of GLUE, in thousands
GLUE = {"mnli": 393, "qqp": 364, "qnli": 105, "sst2": 67, "cola": 8.6, "stsb": 5.7, "mrpc": 3.7,
        "rte": 2.5, "wnli": 0.6}  # fmt: skip


class Stopped(Exception):
    """Stands for a lost machine."""


def measure(options: Options) -> Section:
    """Train, save, stop, go on, and report."""
    saves = 2 if options.quick else SAVES
    rows = load_rows(options.rows)
    with tempfile.TemporaryDirectory() as name:
        saved = train_and_stop(rows, Path(name), saves)
        resumed = [go_on(rows, Path(name)) for _ in range(options.rounds_or(3))]
    orders = {key: order_seconds(key) for key in ("batch_size=32", "max_tokens=2048")}
    return report(saved, resumed, {} if options.quick else orders)


def train_and_stop(rows: Mapping[str, TaskRows], folder: Path, saves: int) -> dict[str, Any]:
    """Return seconds of each save and each update, and the bytes of a save."""
    from mtkd.training.state import SavedState

    taken: list[tuple[int, float]] = []  # the step that a save followed, and its seconds
    original = SavedState.save

    def timed(state: SavedState, progress: Progress, title: str) -> None:
        started = time.perf_counter()
        original(state, progress, title)
        taken.append((progress.step, time.perf_counter() - started))
        if len(taken) == saves + 1:
            raise Stopped

    with (
        patch.object(SavedState, "save", timed),
        watch_steps() as steps,
        contextlib.suppress(Stopped),
    ):
        run(rows, folder)
    between = steps.seconds(taken[-1][0])  # of the update of each number to the next one's
    after_saves = {step for step, _ in taken}
    first = taken[0][0]  # until then memory is asked for, and the page cache fills
    return {
        "saves": [s for _, s in taken[1:]],
        "steps": [s for number, s in enumerate(between, start=1)
                  if number > first and number not in after_saves],
        "bytes": sum(path.stat().st_size for path in (folder / "checkpoint").iterdir()),
    }  # fmt: skip


def go_on(rows: Mapping[str, TaskRows], folder: Path) -> dict[str, float]:
    """Return the seconds of loading a state, and from there to the start of the first update."""
    from mtkd.training import loop
    from mtkd.training.state import SavedState

    loaded: list[float] = []
    original = SavedState.load

    def timed(state: SavedState) -> Progress:
        started = time.perf_counter()
        progress = original(state)
        loaded.extend([started, time.perf_counter()])
        return progress

    def stop(*_: object) -> None:
        raise Stopped

    with (
        patch.object(SavedState, "load", timed),
        patch.object(loop, "_update", stop),
        contextlib.suppress(Stopped),
    ):
        run(rows, folder)
    return {"load": loaded[1] - loaded[0], "first step": time.perf_counter() - loaded[1]}


def run(rows: Mapping[str, TaskRows], folder: Path) -> None:
    """Train on all tasks, a state saved every few updates."""
    from mtkd.devices import start_accelerator
    from mtkd.recipe import TrainingSettings
    from mtkd.training import Evaluation, Objective, TrainingTask, train

    settings = TrainingSettings(
        epochs=100, batch_size=BATCH, keep="last", save_every=f"{EVERY} steps"
    )
    tasks = [TrainingTask(r.task, r.split, chosen=r.chosen) for r in rows.values()]
    train(
        fresh_model(tuple(rows)),
        tasks,
        settings,
        Objective(0.0),
        start_accelerator("auto"),
        seed=1,
        folder=folder,
        evaluate=lambda _: Evaluation({"none": 0.0}, {}),
        title="benchmark",
    )


def order_seconds(key: str) -> dict[str, float]:
    """Return how long an epoch's order takes at the sizes of GLUE, and counting all of them."""
    import numpy as np

    from mtkd.batching import count_steps, epoch_order
    from mtkd.recipe import TrainingSettings

    name, value = key.split("=")
    settings = TrainingSettings.model_validate({name: int(value)})
    rng = np.random.default_rng(0)
    lengths = {
        task: np.clip(rng.lognormal(3.4, 0.5, int(1000 * thousands)), 5, 128).astype(np.int64)
        for task, thousands in GLUE.items()
    }
    # the paper ranks QNLI: some rows have a question in common
    groups = {"qnli": rng.integers(0, 100_000, len(lengths["qnli"]))}
    return {
        "an epoch": seconds(lambda: epoch_order(lengths, settings, 1, 2, groups)),
        "count of all": seconds(lambda: count_steps(lengths, settings, 1, groups)),
    }


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def report(
    saved: Mapping[str, Any],
    resumed: list[dict[str, float]],
    orders: Mapping[str, Mapping[str, float]],
) -> Section:
    """Return tables of saves, resumes and orders."""
    from mtkd.recipe import TrainingSettings

    interval = TrainingSettings().save_interval
    assert interval.minutes is not None
    save, step = Spread.of(saved["saves"]), Spread.of(saved["steps"])
    share = save.median / (60 * interval.minutes + save.median)
    load = Spread.of([one["load"] for one in resumed])
    first = Spread.of([one["first step"] for one in resumed])
    figures = (
        ("bytes of a save", f"{saved['bytes'] / 1e6:.0f} MB"),
        ("seconds of a save", save.cell(3)),
        (f"seconds of a step of {BATCH} rows", step.cell(3)),
        (f"share at the default, {interval.minutes:g} minutes", f"{100 * share:.2f} %"),
        (f"interval at which it is {100 * SHARE:g} %",
         f"{save.median / SHARE - save.median:.0f} s, or "
         f"{(save.median / SHARE - save.median) / step.median:.0f} steps"),
        ("seconds of loading a state", load.cell(3)),
        ("seconds from there to the start of the first new step", first.cell(3)),
    )  # fmt: skip
    tables = [Table(("figure", "found"), figures)]
    if orders:
        cells = tuple((key, f"{one['an epoch']:.2f}", f"{one['count of all']:.2f}")
                      for key, one in orders.items())  # fmt: skip
        tables.append(Table(("batches by", "order of an epoch, s", "count of 5 epochs' updates, s"),
                            cells, "At the sizes of GLUE, 950,000 rows:"))  # fmt: skip
    targets = [
        Target("share of training time that saving costs at the default interval", 100 * share,
               100 * SHARE, at_least=False, unit="%"),
        Target("from a loaded state to the start of the first new step", first.median,
               RESUME_SECONDS, at_least=False, unit="s"),
        *(Target(f"an epoch's order at the sizes of GLUE, {key}", one["an epoch"],
                 RESUME_SECONDS, at_least=False, unit="s") for key, one in orders.items()),
    ]  # fmt: skip
    return Section(
        title="saving: what a state costs, and how soon a resume steps",
        note=(
            "The bundled encoder on the sample's rows. A save is all of it: tensors gathered, "
            "looked at for NaN, hashed, written and flushed to disk. A resume makes the order of "
            "its epoch anew; the count of all updates is made at the first start and recorded."
        ),
        tables=tuple(tables),
        targets=tuple(targets),
        data={"saved": saved, "resumed": resumed, "orders": orders},
    )


@contextmanager
def sample_rows(each: int) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield a folder of the sample's rows, and what they are in words."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name), prepare(Path(name), None, each)


def main() -> None:
    """Measure on the sample and write the results."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two saves, no file: a trial")
    given = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    from benchmarks.machine import machine
    from benchmarks.results import write_section

    with sample_rows(64 if given.quick else 500) as (folder, about):
        started = time.monotonic()
        section = measure(Options(folder, quick=given.quick))
        if given.quick:
            print(section, file=sys.stderr)
            return
        about = {"command": "python -m benchmarks.saving", **about, **machine()}
        markdown = write_section(RESULTS, "saving", section, time.monotonic() - started, about)
    print(markdown.read_text("utf-8"))


if __name__ == "__main__":
    main()
