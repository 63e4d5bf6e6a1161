"""import-soft-labels: soft labels made elsewhere become a store, after the checks of any other."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mtkd.artifacts import file_sha256
from mtkd.errors import DataError, StoreError
from mtkd.soft_labels import StoreInfo, StoreWriter, Teacher, check_label_order, combine, read_info
from mtkd.soft_labels.foreign import Foreign, read_foreign
from mtkd.soft_labels.foreign_values import check_scale, to_logits
from mtkd.soft_labels.label_order import count_confusion
from mtkd.stages.data_rows import DataRows, data_rows
from mtkd.task import Task, load_task

log = logging.getLogger(__name__)


def import_soft_labels(
    file: Path,
    task: str | Path,
    data: str,
    *,
    split: str = "train",
    labels: Sequence[str] | None = None,
    values: str | None = None,
    guids: Path | None = None,
    name: str | None = None,
    to: Path | None = None,
    partial: bool = False,
    drop_extra: bool = False,
) -> tuple[Path, StoreInfo]:
    """Write a store of the soft labels in a file, joined by guid to the rows of a task's split.

    Args:
        file, labels, values, guids: as `read_foreign` has them.
        task: a name, or a path to a card.
        data: a run directory, a glue_data folder, or "sample".
        name: of the teacher; None: the file's.
        to: where the store goes; None: beside the file, as <task>-<split>.soft_labels.parquet.
        partial: whether rows may have no soft label.
        drop_extra: whether soft labels of rows that the data lacks are left out, and not refused.

    Returns: the store's place, and what it says of itself.
    Raises: DataError: a file or rows that cannot be read. StoreError: soft labels that are none,
        are for other rows, or whose classes stand in another order than is said.
    """
    card = load_task(task)
    place = to or file.parent / f"{card.name}-{split}.soft_labels.parquet"
    _check_places(file, guids, place)
    rows = data_rows(card, split, data)
    found = read_foreign(file, card, labels, values, guids)
    info = _info(file, card, split, rows, found, name)
    places = _places(file, f"{data}, {card.name}/{split}", rows, found, partial, drop_extra)
    columns = [found.labels.index(label) for label in card.labels] or [0]
    theirs = to_logits(str(file), found)[:, :, columns]  # in the card's order
    logits = np.full((len(rows.guids), *theirs.shape[1:]), np.nan, dtype=np.float32)
    logits[places >= 0] = theirs[places[places >= 0]]
    _check_meaning(file, card, found, rows.gold, combine(info, logits))
    with StoreWriter(place, info) as writer:
        writer.append(rows.guids, rows.gold, logits)
    return place, read_info(place)


def _check_places(file: Path, guids: Path | None, place: Path) -> None:
    for path in (file, guids):
        if path is not None and not path.is_file():
            raise DataError(f"{path}: no such file")
        if path is not None and place.exists() and place.samefile(path):
            raise DataError(f"--to {place}: would overwrite {path}, which it is made from; name "
                            "another file")  # fmt: skip
    if place.is_dir():
        raise DataError(f"--to {place}: a folder; name a file in it")
    if place.exists():
        try:
            read_info(place)
        except StoreError as error:
            raise DataError(f"--to {place}: is there already and no soft-label store; name another "
                            "file, or remove it first") from error  # fmt: skip


def _info(
    file: Path, task: Task, split: str, rows: DataRows, found: Foreign, name: str | None
) -> StoreInfo:
    """Return the new store's provenance; of a file that is a store, what that says."""
    count = found.values.shape[1]
    numbers = [""] if count == 1 else [f"-{k + 1}" for k in range(count)]
    names = [f"{name or file.stem}{number}" for number in numbers]
    if found.store is None:
        sha256 = file_sha256(file)
        teachers = tuple(Teacher(each, "unknown", sha256) for each in names)
        return StoreInfo(task.name, split, task.labels, 1.0, teachers, rows.fingerprint,
                         source="imported")  # fmt: skip
    old = found.store
    for what, theirs, ours in (
        ("split", old.split, split),
        ("data fingerprint", old.data_fingerprint, rows.fingerprint),
    ):
        if theirs != ours:
            raise StoreError(f"{file}: a store whose {what} is {theirs}, the data's {ours}; give "
                             "the data that it was made from, with --data and --split")  # fmt: skip
    teachers = old.teachers
    if name is not None:
        teachers = tuple(dataclasses.replace(teacher, name=each)
                         for teacher, each in zip(old.teachers, names, strict=True))  # fmt: skip
    return dataclasses.replace(old, labels=task.labels, teachers=teachers, source="imported",
                               rows=0, row_groups=())  # fmt: skip


def _places(
    file: Path, data: str, rows: DataRows, found: Foreign, partial: bool, drop_extra: bool
) -> NDArray[np.int64]:
    """Return, for each row of the data, its place in the file, or -1 where it has no soft label.

    Raises: StoreError: a guid twice, one of no row, or (unless `partial`) a row without.
    """
    counts = pc.value_counts(found.guids)
    if twice := counts.filter(pc.greater(counts.field("counts"), 1)):
        raise StoreError(f"{file}: {len(twice)} guids stand twice or more, first "
                         f"{twice[0]['values'].as_py()!r}; keep one row of each")  # fmt: skip
    foreign = found.guids.filter(pc.invert(pc.is_in(found.guids, value_set=rows.guids)))
    if len(foreign) and not drop_extra:
        raise StoreError(f"{file}: {len(foreign)} of {len(found.guids)} guids are of no row in "
                         f"{data}, first {foreign[0].as_py()!r}; a guid there looks like "
                         f"{rows.guids[0].as_py()!r}: task, split and the row's id in its file. "
                         "Are --task, --split and --data those of the file? A run with "
                         "data.max_rows has a part of the rows: give --drop-extra")  # fmt: skip
    named = pc.index_in(rows.guids, value_set=found.guids.filter(pa.array(found.known)))
    places = pc.fill_null(named, -1).to_numpy().astype(np.int64)
    places[places >= 0] = np.flatnonzero(found.known)[places[places >= 0]]
    lacking = np.flatnonzero(places < 0)
    if len(lacking) and not partial:
        raise StoreError(f"{file}: no soft label for {len(lacking)} of {len(rows.guids)} rows in "
                         f"{data}, first {rows.guids[int(lacking[0])]}; if that is meant, give "
                         "--partial: such rows are learnt from gold labels alone")  # fmt: skip
    return places


def _check_meaning(
    file: Path, task: Task, found: Foreign, gold: NDArray[np.float64], targets: NDArray[np.float32]
) -> None:
    """Refuse classes in another order than is said, or scores on another scale than gold's.

    Orders are compared as the file has its columns, so that the one proposed can be given as it is.
    """
    if np.isnan(gold).all():
        log.warning("%s: the data has no gold labels, so that nothing shows whether the %s", file,
                    "classes are in the right order" if task.labels else "scale is right"
                    )  # fmt: skip
        return
    if not task.labels:
        check_scale(str(file), gold, targets)
        return
    theirs = np.array([found.labels.index(label) for label in task.labels], dtype=np.float64)
    known = ~np.isnan(gold)
    renumbered = np.where(known, theirs[np.where(known, gold, 0).astype(np.int64)], np.nan)
    columns = [task.labels.index(label) for label in found.labels]
    confusion = count_confusion(len(columns), renumbered, targets[:, columns])
    try:
        check_label_order(str(file), found.labels, confusion)
    except StoreError as error:
        if not found.named:
            raise
        said = str(error).partition(". The columns stand")[0]
        raise StoreError(f"{said}. The columns bear the wrong names: correct them in the file, "
                         "which itself says what they are") from error  # fmt: skip
