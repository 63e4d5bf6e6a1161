"""Data sets on the Hugging Face hub, or in its local cache."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mtkd.errors import DataError, did_you_mean
from mtkd.examples.rows import Column, Columns, RawRow, find_columns
from mtkd.recipe.compress import HubTexts
from mtkd.shown import reason, shown
from mtkd.task import HubSource, Task

if TYPE_CHECKING:
    from datasets import Dataset

_TIMEOUT = 5.0  # seconds for the hub's first answer
_BATCH = 1000  # rows in memory at a time


def hub_rows(task: Task, hub: HubSource, split: str) -> tuple[Columns, Generator[RawRow]]:
    """Open a split of a data set; fetch it if the cache lacks it.

    A class is known by its name on the hub, never by its number there, which may count in another
    order than the card does. -1 is the hub's way to say that a label is not known.

    Args: hub: the task's source on the hub. split: our name for the split.
    Raises: DataError: it cannot be had, or has other columns or classes than the card says.
    """
    dataset = _load(hub.path, hub.config, hub.revision, hub.splits[split])
    where = "/".join(part for part in (hub.path, hub.config, hub.splits[split]) if part)
    has_gold = split.startswith(("train", "dev"))
    label = hub.column(task.label)
    columns = Columns(
        id=hub.id,
        texts=tuple(hub.column(text) for text in task.texts),
        label=label if has_gold or label in dataset.column_names else None,
        label_may_lack=not has_gold,
    )
    find_columns(dataset.column_names, columns.needed(), where)
    names = _class_names(dataset, columns, task, where)
    return columns, _rows(dataset, columns, task, names, where)


def _class_names(
    dataset: Dataset, columns: Columns, task: Task, where: str
) -> Sequence[str] | None:
    """Return how the task's files write each of the hub's classes; None where it has none."""
    import datasets

    feature = None if columns.label is None else dataset.features[columns.label]
    if task.kind == "regression" or not isinstance(feature, datasets.ClassLabel):
        return None
    for name in feature.names:
        if name not in task.labels:
            raise DataError(
                f"{where}: {columns.label}: the class {shown(name)} is none of the card's labels "
                f"({', '.join(task.labels)}){did_you_mean(name, task.labels)}"
            )
    written = dict(zip(task.labels, task.file_labels or task.labels, strict=True))
    return [written[name] for name in feature.names]


def _rows(
    dataset: Dataset, columns: Columns, task: Task, names: Sequence[str] | None, where: str
) -> Generator[RawRow]:
    needed = [str(column) for column in columns.needed()]
    low = task.range[0] if task.range else 0
    number = 0
    for batch in dataset.select_columns(needed).iter(_BATCH):
        for values in zip(*(batch[column] for column in needed), strict=True):
            number += 1
            cells: dict[Column, object] = dict(zip(needed, values, strict=True))
            if columns.label is not None:
                label = cells[columns.label]
                if label == -1 and low > -1:
                    cells[columns.label] = None
                elif names is not None and isinstance(label, int):
                    cells[columns.label] = names[label]
            yield RawRow(f"{where}:row {number}", cells)


def texts_of_hub(source: HubTexts, column: str) -> Generator[RawRow]:
    """Yield the rows of a data set's split, each with one column; fetch it if the cache lacks it.

    Raises: DataError: it cannot be had, or has no such column.
    """
    dataset = _load(source.path, source.config, source.revision, source.split,
                    instead="corpus.hub=null corpus.files=[...]")  # fmt: skip
    where = "/".join(part for part in (source.path, source.config, source.split) if part)
    find_columns(dataset.column_names, [column], where)
    number = 0
    for batch in dataset.select_columns([column]).iter(_BATCH):
        for text in batch[column]:
            number += 1
            yield RawRow(f"{where}:row {number}", {column: text})


def _load(
    path: str,
    config: str | None,
    revision: str | None,
    split: str,
    instead: str = "data.source=directory data.root=<a glue_data folder>",
) -> Dataset:
    """Load one split. One short question first: `datasets` asks a dead hub six times, for 23 s."""
    import datasets
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError, RepositoryNotFoundError, RevisionNotFoundError

    unreachable: Exception | None = None
    try:
        HfApi().dataset_info(path, revision=revision, timeout=_TIMEOUT)
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise DataError(f"{path}: the hub has no such data set: {reason(error)}") from error
    except (OSError, HTTPError) as error:
        unreachable = error
    try:
        with _cache_only(unreachable is not None):
            return datasets.load_dataset(path, config, revision=revision, split=split)
    except (ConnectionError, HTTPError) as error:
        raise DataError(
            f"{path}: not in the local cache, and the Hugging Face hub could not be reached "
            f"({reason(unreachable or error)}); try again with a network, or read files: {instead}"
        ) from error
    except (datasets.exceptions.DatasetNotFoundError, ValueError) as error:
        raise DataError(f"{path}: {reason(error)}") from error


@contextmanager
def _cache_only(wanted: bool) -> Iterator[None]:
    """Keep `datasets` from asking the hub, as HF_HUB_OFFLINE=1 in the environment would."""
    import datasets

    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = wanted or before
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before
