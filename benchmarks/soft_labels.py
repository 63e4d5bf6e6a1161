"""`python -m benchmarks.soft_labels`: size and speed of soft-label stores against their bounds.

Bytes a row; joining a million rows in another order; opening and reading a store of ten million.
Writes benchmarks/results/soft_labels-<date>.json and .md. `--rows` scales everything; with the
default about 400 MB of disk are needed for a minute. Each measurement is a process of its own, so
that its peak memory is its own; memory is what a process takes beyond its imports.
"""

from __future__ import annotations

import argparse
import json
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

SHAPES = ((1, 2), (3, 2), (3, 3), (6, 3), (3, 1))  # teachers x classes; one class: a regression
LABELS = ("entailment", "neutral", "contradiction")
FINGERPRINT = "f" * 64
JOIN_SECONDS, JOIN_MB, INFO_SECONDS, TIMES = 5.0, 500.0, 0.2, 5
BATCH = 65_536
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure everything and write the results, or, as a process of its own, one thing."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows to join; 10 x to read")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--only", choices=sorted(MEASURES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(MEASURES[arguments.only](arguments.folder, arguments.rows)))
        return
    with tempfile.TemporaryDirectory() as folder:
        measured = {name: in_own_process(name, Path(folder), arguments.rows) for name in MEASURES}
    del measured["prepare_join"]
    write(measured, arguments.rows, arguments.results)


def in_own_process(name: str, folder: Path, rows: int) -> Any:
    """Return what a measurement found; this process stays small, for a child's peak counts it."""
    command = [sys.executable, "-m", "benchmarks.soft_labels", "--only", name,
               "--folder", str(folder), "--rows", str(rows)]  # fmt: skip
    print(f"{name} ...", file=sys.stderr)
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


# --- measurements, each in a process of its own -----------------------------------------------


def measure_size(folder: Path, rows: int) -> list[dict[str, Any]]:
    """Return the bytes a row of stores of random logits, which hardly compress."""
    rows = max(1, rows // 5)
    found = []
    for teachers, classes in SHAPES:
        path = folder / "size.parquet"
        write_random(path, rows, teachers, classes)
        found.append({
            "teachers": teachers, "classes": classes, "rows": rows,
            "bytes a row": path.stat().st_size / rows,
            "bound": 1.3 * teachers * classes * 4 + 40,
        })  # fmt: skip
        path.unlink()
    return found


def prepare_join(folder: Path, rows: int) -> None:
    """Write a store and, in another order, the rows that it is to be joined to."""
    import numpy as np
    import pyarrow as pa

    write_random(folder / "join.parquet", rows, 3, 3)
    order = np.random.default_rng(0).permutation(rows)
    table = pa.table({"guid": guids_of(0, rows).take(pa.array(order))})
    with (
        pa.OSFile(str(folder / "rows.arrow"), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as file,
    ):
        file.write_table(table)


def measure_join(folder: Path, rows: int) -> dict[str, float]:
    """Return the cost of reading a store and joining it to its rows in another order."""
    import numpy as np
    import pyarrow as pa

    from mtkd.soft_labels import join, read_store
    from mtkd.task import load_task

    task = load_task("mnli")
    before = peak_mb()
    with pa.memory_map(str(folder / "rows.arrow")) as source:  # as a prepared split has them
        guids = pa.ipc.open_file(source).read_all()["guid"].to_pylist()
    started = time.perf_counter()
    store = read_store(folder / "join.parquet")
    read = time.perf_counter()
    joined = join(store, task, guids, FINGERPRINT, 1.0)
    ended = time.perf_counter()
    assert joined.known.all()
    assert np.isfinite(joined.targets).all()
    return {"rows": rows, "seconds": ended - started, "seconds to read": read - started,
            "seconds to join": ended - read, "MB": peak_mb() - before}  # fmt: skip


def measure_write(folder: Path, rows: int) -> dict[str, float]:
    """Write the store of ten times the rows that the next measurements read."""
    from mtkd.soft_labels import StoreWriter

    before, made = peak_mb(), 0.0
    started = time.perf_counter()
    with StoreWriter(folder / "large.parquet", random_info(3, 3)) as writer:
        rows_made = time.perf_counter()
        for guids, gold, logits in random_rows(10 * rows, 3, 3):
            made += time.perf_counter() - rows_made
            writer.append(guids, gold, logits)
            rows_made = time.perf_counter()
    spent = time.perf_counter() - started - made  # the flush to disk included
    size = (folder / "large.parquet").stat().st_size
    return {"rows": 10 * rows, "rows a second": 10 * rows / spent, "bytes": size,
            "MB": peak_mb() - before}  # fmt: skip


def measure_info(folder: Path, rows: int) -> dict[str, float]:
    """Return the seconds to open the large store and read its provenance."""
    from mtkd.soft_labels import read_info

    seconds = []
    for _ in range(TIMES):
        started = time.perf_counter()
        info = read_info(folder / "large.parquet")
        seconds.append(time.perf_counter() - started)
    assert info.rows == 10 * rows
    return {"rows": info.rows, "median": statistics.median(seconds), "min": min(seconds),
            "max": max(seconds)}  # fmt: skip


def measure_batches(folder: Path, rows: int) -> dict[str, float]:
    """Return the speed and memory of reading the large store; flat if both peaks are alike."""
    from mtkd.soft_labels import read_batches

    done, early = 0, 0.0
    before = peak_mb()
    started = time.perf_counter()
    for batch in read_batches(folder / "large.parquet"):
        done += len(batch.guids)
        if done <= rows or not early:
            early = peak_mb() - before
    seconds = time.perf_counter() - started
    assert done == 10 * rows
    return {"rows": done, "rows a second": done / seconds, "seconds": seconds,
            "MB after a tenth": early, "MB": peak_mb() - before}  # fmt: skip


MEASURES = {
    "size": measure_size,
    "prepare_join": prepare_join,
    "join": measure_join,
    "write": measure_write,
    "info": measure_info,
    "batches": measure_batches,
}  # in this order


# --- random stores ----------------------------------------------------------------------------


def random_info(teachers: int, classes: int) -> Any:
    """Return the provenance of a store of `teachers` that do not exist."""
    from mtkd.soft_labels import StoreInfo, Teacher

    made = tuple(Teacher(f"teacher{i}", "bert-base-uncased", f"{i:064d}") for i in range(teachers))
    labels = LABELS[:classes] if classes > 1 else ()
    return StoreInfo("mnli", "train", labels, 1.0, made, FINGERPRINT)


def guids_of(start: int, end: int) -> Any:
    """Return guids as MNLI's are."""
    import pyarrow as pa

    return pa.array([f"mnli/train/{i}" for i in range(start, end)], pa.string())


def random_rows(rows: int, teachers: int, classes: int) -> Iterator[tuple[Any, Any, Any]]:
    """Yield guids, gold and logits, a row group at a time."""
    import numpy as np

    random = np.random.default_rng(0)
    for start in range(0, rows, BATCH):
        end = min(start + BATCH, rows)
        gold = random.integers(0, max(classes, 2), end - start).astype(np.float64)
        logits = 3 * random.standard_normal((end - start, teachers, classes), dtype=np.float32)
        yield guids_of(start, end), gold, logits


def write_random(path: Path, rows: int, teachers: int, classes: int) -> None:
    """Write a store of random logits."""
    from mtkd.soft_labels import StoreWriter

    with StoreWriter(path, random_info(teachers, classes)) as writer:
        for guids, gold, logits in random_rows(rows, teachers, classes):
            writer.append(guids, gold, logits)


def peak_mb() -> float:
    """Return the largest resident size of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


# --- results ----------------------------------------------------------------------------------


def write(measured: dict[str, Any], rows: int, results: Path) -> None:
    """Write JSON, and Markdown tables of figures against bounds."""
    from benchmarks.machine import (
        machine,
    )  # imports torch, in which the processes above have no part

    command = shlex.join(["python", "-m", "benchmarks.soft_labels", "--rows", str(rows)])
    about = {**machine(), "pyarrow": version("pyarrow"), "command": command}
    found = {"machine": about, **measured}
    results.mkdir(parents=True, exist_ok=True)
    name = f"soft_labels-{datetime.now(UTC).strftime('%Y-%m-%d')}"
    (results / f"{name}.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    lines = [f"`{command}`", "", "| measured | found | bound | |", "|---|---|---|---|"]
    for what, value, bound, unit in bounds(measured):
        verdict = "" if bound is None else "within" if value <= bound else "ABOVE"
        limit = "" if bound is None else f"{bound:,.1f} {unit}"
        lines.append(
            f"| {what} | {value:,.{3 if value < 1 else 1}f} {unit} | {limit} | {verdict} |"
        )
    text = "\n".join(lines) + "\n"
    (results / f"{name}.md").write_text(text, "utf-8")
    print(text)


def bounds(measured: dict[str, Any]) -> Iterator[tuple[str, float, float | None, str]]:
    """Yield what was measured, its figure, its bound and its unit."""
    for size in measured["size"]:
        what = f"a row's size, {size['teachers']} teachers x {size['classes']} classes"
        yield what, size["bytes a row"], size["bound"], "bytes"
    join, info, batches = (measured[name] for name in ("join", "info", "batches"))
    yield f"read and join {join['rows']:,} rows", join["seconds"], JOIN_SECONDS, "s"
    yield "of that, the join", join["seconds to join"], None, "s"
    yield "memory of both, the list of rows included", join["MB"], JOIN_MB, "MB"
    yield f"open a store of {info['rows']:,} rows", info["median"], INFO_SECONDS, "s"
    yield "write it", measured["write"]["rows a second"], None, "rows/s"
    yield "memory to write it", measured["write"]["MB"], None, "MB"
    yield "read it through, every value checked", batches["rows a second"], None, "rows/s"
    yield "memory after a tenth", batches["MB after a tenth"], None, "MB"
    yield "memory after all", batches["MB"], None, "MB"


if __name__ == "__main__":
    main()
