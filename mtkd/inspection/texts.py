"""The texts of rows, which a store does not hold: from a run, the sample data or GLUE's files."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mtkd.errors import DataError, RunDirError, StoreError
from mtkd.soft_labels import StoreInfo
from mtkd.task import load_task, task_names

_PREPARED = "prepared"


def default_data(store: Path) -> str | None:
    """Return the run that a store lies in (RUN/soft_labels/TASK/SPLIT.parquet), if in any."""
    soft_labels = store.resolve().parent.parent
    is_run = soft_labels.name == "soft_labels" and (soft_labels.parent / _PREPARED).is_dir()
    return str(soft_labels.parent) if is_run else None


def texts_of(
    data: str, info: StoreInfo, guids: Collection[str], card: str | Path | None = None
) -> dict[str, tuple[str, ...]]:
    """Return the texts of some of a store's rows, by guid, in a stream.

    Args:
        data: a run directory, a glue_data folder, or "sample", the data that comes with mtkd.
        card: of a task of one's own, whose files lie beside it; None: the built-in one.

    Raises: StoreError: the data are not what the store was made from. RunDirError: no such data.
    """
    wanted = set(guids)
    folder = Path(data)
    if data != "sample" and not folder.is_dir():
        raise RunDirError(f"--data {data}: expected a run directory, a glue_data folder or "
                          "'sample', found no folder")  # fmt: skip
    if data != "sample" and (folder / _PREPARED).is_dir():
        found = _from_run(folder, info, wanted)
    else:
        found = _from_files(data, info, wanted, card)
    if lacking := wanted - found.keys():
        raise StoreError(f"--data {data}: no text for {len(lacking)} rows, first {min(lacking)}, "
                         f"though its {info.task}/{info.split} has the store's fingerprint; "
                         "run `mtkd prepare` again")  # fmt: skip
    return found


def _from_run(run: Path, info: StoreInfo, wanted: set[str]) -> dict[str, tuple[str, ...]]:
    fingerprints: dict[Path, str] = {}
    folder = run / (f"{_PREPARED}_unlabelled" if info.split.startswith("unlabelled") else _PREPARED)
    for file in sorted(folder.glob(f"*/{info.task}/info.json")):
        splits = _splits(file)
        if info.split in splits:
            fingerprints[file.with_name(f"{info.split}.arrow")] = splits[info.split]["fingerprint"]
    if not fingerprints:
        raise RunDirError(f"--data {run}: no rows of {info.task}/{info.split} in its "
                          f"{folder.name}/; give the run that the store was made in")  # fmt: skip
    for arrow, fingerprint in fingerprints.items():
        if fingerprint == info.data_fingerprint:
            return _from_arrow(arrow, wanted)
    raise _other_data(str(run), info, next(iter(fingerprints.values())),
                      "give the run that the store was made in")  # fmt: skip


def _splits(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text("utf-8"))["splits"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunDirError(f"{file}: cannot be read ({error!r}); delete {file.parent} and run "
                          "`mtkd prepare` again") from error  # fmt: skip


def _from_arrow(path: Path, wanted: set[str]) -> dict[str, tuple[str, ...]]:
    """Read prepared rows by memory map: of the other columns no byte is touched."""
    found: dict[str, tuple[str, ...]] = {}
    values = pa.array(sorted(wanted), pa.string())
    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                guids = batch.column("guid")
                here = pc.is_in(guids, value_set=values)
                texts = batch.column("texts").filter(here).to_pylist()
                found |= zip(guids.filter(here).to_pylist(), map(tuple, texts), strict=True)
                if len(found) == len(wanted):
                    break
    except (OSError, pa.ArrowException, KeyError) as error:
        raise RunDirError(f"{path}: cannot be read ({error}); delete {path.parent} and run `mtkd "
                          "prepare` again") from error  # fmt: skip
    return found


def _from_files(
    data: str, info: StoreInfo, wanted: set[str], card: str | Path | None
) -> dict[str, tuple[str, ...]]:
    from mtkd.examples import Fingerprint, read_examples
    from mtkd.recipe import DataSettings

    if card is None and info.task not in task_names():
        raise DataError(f"--data {data}: {info.task} is no built-in task, so its files are not "
                        "there; give the run directory that the store was made in")  # fmt: skip
    settings = DataSettings(source="sample") if data == "sample" else DataSettings(root=data)
    fingerprint = Fingerprint()
    found: dict[str, tuple[str, ...]] = {}
    for example in read_examples(load_task(card or info.task), info.split, settings):
        fingerprint.add(example)
        if example.guid in wanted:
            found[example.guid] = example.texts
    if fingerprint.hexdigest() != info.data_fingerprint:
        raise _other_data(data, info, fingerprint.hexdigest(),
                          "give the data that it was made from; where its recipe took only some "
                          "rows (data.max_rows), the run directory")  # fmt: skip
    return found


def _other_data(data: str, info: StoreInfo, found: str, mend: str) -> StoreError:
    return StoreError(f"--data {data}: its {info.task}/{info.split} has the data fingerprint "
                      f"{found[:16]}, the store was made from {info.data_fingerprint[:16]}; {mend}"
                      )  # fmt: skip
