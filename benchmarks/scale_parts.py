"""The parts of a pipeline that are measured at growing sizes, each run in a fresh process.

Each returns its seconds and the memory that it took beyond imports and a warm-up on a few rows.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.machine import peak_resident_mb

if TYPE_CHECKING:
    from mtkd.examples import Example

TEACHERS, CLASSES = 3, 3
WARM = 200  # rows
WINDOW = 16_384  # rows: what soften reads of the predictions at a time
FINGERPRINT = "f" * 64


def prepare(folder: Path, rows: int) -> dict[str, float]:
    """Tokenise sample rows, repeated."""
    from benchmarks.rows import ENCODER, MAX_LENGTH
    from mtkd.encoders import load_tokenizer
    from mtkd.examples import tokenise

    tokenizer, examples = load_tokenizer(ENCODER), _sample()
    tokenise(_repeated(examples, WARM), tokenizer, MAX_LENGTH, folder / "warm.arrow")
    before, started = peak_resident_mb(), time.perf_counter()
    tokenise(_repeated(examples, rows), tokenizer, MAX_LENGTH, folder / "rows.arrow")
    return _since(before, started)


def corpus(folder: Path, rows: int) -> dict[str, float]:
    """Cut sample texts to rows of a corpus, repeated."""
    from benchmarks.rows import ENCODER
    from mtkd.encoders import load_tokenizer
    from mtkd.examples.corpus import write_corpus
    from mtkd.recipe import CorpusSettings

    tokenizer, examples = load_tokenizer(ENCODER), _sample()
    settings = CorpusSettings(tasks=("rte",), dev_share=0.1)

    def texts(count: int) -> Iterator[str]:
        for number, example in enumerate(_repeated(examples, count)):
            yield f"{number}: {example.texts[0]}"

    (folder / "warm").mkdir()
    write_corpus(texts(WARM), tokenizer, settings, 1, folder / "warm")
    before, started = peak_resident_mb(), time.perf_counter()
    write_corpus(texts(rows), tokenizer, settings, 1, folder)
    return _since(before, started)


def write(folder: Path, rows: int) -> dict[str, float]:
    """Write a store of random logits, a window at a time as soften reads predictions."""
    _write(folder / "warm.parquet", WARM)
    before, started = peak_resident_mb(), time.perf_counter()
    _write(folder / "store.parquet", rows)
    return _since(before, started)


def read(folder: Path, rows: int) -> dict[str, float]:
    """Read a store through, every value checked."""
    from mtkd.soft_labels import check_store

    _write_elsewhere(folder / "store.parquet", rows)
    _write(folder / "warm.parquet", WARM)
    check_store(folder / "warm.parquet")
    before, started = peak_resident_mb(), time.perf_counter()
    check_store(folder / "store.parquet")
    return _since(before, started)


def join(folder: Path, rows: int) -> dict[str, float]:
    """Read a store for training and join it to its rows, which stand in another order."""
    import pyarrow as pa

    from mtkd.soft_labels import join as join_store
    from mtkd.soft_labels import read_store
    from mtkd.task import load_task

    task = load_task("mnli")
    _write_elsewhere(folder / "store.parquet", rows)
    _write(folder / "warm.parquet", WARM)
    join_store(read_store(folder / "warm.parquet"), task, _guids(0, WARM), FINGERPRINT, 1.0)
    with pa.memory_map(str(folder / "store.guids")) as source:  # as a prepared split has them
        guids = pa.ipc.open_file(source).read_all()["guid"].combine_chunks()
        before, started = peak_resident_mb(), time.perf_counter()
        joined = join_store(read_store(folder / "store.parquet"), task, guids, FINGERPRINT, 1.0)
        assert joined.known.all()
        return _since(before, started)


def predict(folder: Path, rows: int) -> dict[str, float]:
    """Score sample rows with a fresh model."""
    from benchmarks.rows import ENCODER, MAX_LENGTH, fresh_model
    from mtkd.devices import start_accelerator
    from mtkd.encoders import load_tokenizer
    from mtkd.examples import tokenise
    from mtkd.examples.prepared import PreparedSplit
    from mtkd.inference import predict as predict_rows

    tokenizer = load_tokenizer(ENCODER)
    tokenise(_repeated(_sample(), rows), tokenizer, MAX_LENGTH, folder / "rows.arrow")
    model, accelerator = fresh_model(("mnli",)), start_accelerator("auto")
    split = PreparedSplit(folder / "rows.arrow", tokenizer.pad_token_id)
    predict_rows(model, "mnli", split, accelerator, rows=split.lengths.argsort()[-4:])
    before, started = peak_resident_mb(), time.perf_counter()
    predict_rows(model, "mnli", split, accelerator)
    return _since(before, started)


PARTS: dict[str, Callable[[Path, int], dict[str, float]]] = {
    "prepare": prepare,
    "corpus": corpus,
    "write": write,
    "read": read,
    "join": join,
    "predict": predict,
}


def _since(before: float, started: float) -> dict[str, float]:
    return {"seconds": time.perf_counter() - started, "MB": peak_resident_mb() - before}


def _sample() -> list[Example]:
    from mtkd.examples import read_examples
    from mtkd.recipe import DataSettings
    from mtkd.task import load_task

    return list(read_examples(load_task("mnli"), "train", DataSettings(source="sample")))


def _repeated(examples: list[Example], rows: int) -> Iterator[Example]:
    for i in range(rows):
        yield dataclasses.replace(examples[i % len(examples)], guid=f"mnli/train/{i}")


def _guids(start: int, end: int) -> Any:
    import pyarrow as pa

    return pa.array([f"mnli/train/{i}" for i in range(start, end)], pa.string())


def _write(path: Path, rows: int) -> None:
    import numpy as np

    from mtkd.soft_labels import StoreInfo, StoreWriter, Teacher
    from mtkd.task import load_task

    task = load_task("mnli")
    teachers = tuple(Teacher(f"teacher{i}", "none", f"{i:064d}") for i in range(TEACHERS))
    info = StoreInfo(task.name, "train", task.labels, 1.0, teachers, FINGERPRINT)
    random = np.random.default_rng(0)
    with StoreWriter(path, info) as writer:
        for start in range(0, rows, WINDOW):
            end = min(start + WINDOW, rows)
            shape = (end - start, TEACHERS, CLASSES)
            logits = 3 * random.standard_normal(shape, dtype=np.float32)
            gold = random.integers(0, CLASSES, end - start).astype(np.float64)
            writer.append(_guids(start, end), gold, logits)


def _write_elsewhere(path: Path, rows: int) -> None:
    """Do `write_both` in a process of its own, whose memory is not this one's."""
    code = f"from benchmarks import scale_parts; scale_parts.write_both({str(path)!r}, {rows})"
    subprocess.run([sys.executable, "-c", code], check=True)


def write_both(place: str, rows: int) -> None:
    """Write a store of random logits and, beside it, its guids in another order."""
    import numpy as np
    import pyarrow as pa

    path = Path(place)
    _write(path, rows)
    order = np.random.default_rng(0).permutation(rows)
    table = pa.table({"guid": _guids(0, rows).take(pa.array(order))})
    with (
        pa.OSFile(str(path.with_suffix(".guids")), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as file,
    ):
        file.write_table(table)
