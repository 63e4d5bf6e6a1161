"""Rows with their soft labels as CSV, for spreadsheets and other programs.

A spreadsheet takes a cell that begins with = + - @ or a tab for a formula, which may reach the
network. Names and texts that do, and are no numbers, have an apostrophe before them here: `--json`
has them as they are.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from mtkd.artifacts import publish
from mtkd.errors import UserError
from mtkd.inspection.selection import Selection
from mtkd.inspection.stream import Chunk, chunks
from mtkd.soft_labels import StoreInfo, read_info

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Texts = Mapping[str, tuple[str, ...]]


def write_csv(place: Path, stores: Sequence[Path], title: str | None = None) -> list[Path]:
    """Write all rows of stores that have a soft label, in a stream, in the order of the store.

    Columns: guid, task, split, gold; for classes one `p(<class>)` each, prediction, confidence,
    entropy (nats), and `<teacher> prediction`, `<teacher> confidence` for each teacher; for scores
    score, spread (standard deviation over teachers) and `<teacher> score`. Probabilities and scores
    keep all digits of a float32.

    Args: place: a file for one store; a folder for several, as tasks differ in their columns, of
        which each gets `<task>/<split>.csv`. title: of the progress bars; None draws none.
    Returns: the files written. Each appears whole or not at all.
    Raises: UserError: several stores and a place that is no folder.
    """
    infos = [read_info(path) for path in stores]
    files = _files(place, infos)
    for path, info, file in zip(stores, infos, files, strict=True):
        _write(file, info, chunks(path, title), None)
    return files


def write_selections_csv(
    place: Path, selections: Sequence[Selection], texts: Texts | None = None
) -> list[Path]:
    """Write chosen rows, one selection a store, with the columns and places of `write_csv`.

    After guid comes what the rows are ranked by, where that is something; at the end, with `texts`
    (by guid), text_1 and text_2.
    """
    files = _files(place, [selection.info for selection in selections])
    for selection, file in zip(selections, files, strict=True):
        ranks = None if selection.measure is None else (selection.measure, selection.values)
        _write(file, selection.info, [selection.chunk], ranks, texts)
    return files


def _files(place: Path, infos: Sequence[StoreInfo]) -> list[Path]:
    if len(infos) == 1 and not place.is_dir():
        return [place]
    if place.suffix == ".csv" or place.is_file():
        raise UserError(f"--csv {place}: {len(infos)} stores, whose columns differ, need a folder "
                        "and not a file; or name one store")  # fmt: skip
    files = [place / info.task / f"{info.split}.csv" for info in infos]
    if len(set(files)) < len(files):
        raise UserError(f"--csv {place}: two of the stores are of one task and split and would be "
                        "written to one file; name one store")  # fmt: skip
    return files


def _write(
    place: Path,
    info: StoreInfo,
    parts: Iterable[Chunk],
    ranks: tuple[str, NDArray[np.float64]] | None,
    texts: Texts | None = None,
) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f".{place.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            header = _header(info)
            if ranks is not None:
                header.insert(1, ranks[0])
            width = max((len(row) for row in texts.values()), default=0) if texts else 0
            header = [_inert(name) for name in header]
            writer.writerow([*header, *(f"text_{i + 1}" for i in range(width))])
            for chunk in parts:
                rows = _rows(info, chunk)
                if ranks is not None:
                    rows = ([r[0], v, *r[1:]] for r, v in zip(rows, _plain(ranks[1]), strict=True))
                if texts:
                    rows = ([*r, *map(_inert, texts.get(r[0], ()))] for r in rows)
                writer.writerows(rows)
        publish(partial, place)
    finally:
        partial.unlink(missing_ok=True)


def _header(info: StoreInfo) -> list[str]:
    names = [teacher.name for teacher in info.teachers]
    if not info.labels:
        return ["guid", "task", "split", "gold", "score", "spread", *(f"{n} score" for n in names)]
    return [
        *("guid", "task", "split", "gold"),
        *(f"p({label})" for label in info.labels),
        *("prediction", "confidence", "entropy"),
        *(f"{name} {what}" for name in names for what in ("prediction", "confidence")),
    ]


def _rows(info: StoreInfo, chunk: Chunk) -> Iterator[list[str]]:
    """Yield a chunk's rows as cells, made column by column."""
    known = ~np.isnan(chunk.gold)
    if info.labels:
        names = np.array([*map(_inert, info.labels), ""], dtype=object)
        gold = names[np.where(known, chunk.gold, len(info.labels)).astype(np.int64)].tolist()
        numbers = [_exact(chunk.ensemble[:, j]) for j in range(len(info.labels))]
        own = [_said(names, chunk.teachers[:, k]) for k in range(len(info.teachers))]
        rest = [*_said(names, chunk.ensemble), _plain(entr(chunk.ensemble).sum(axis=1))]
        columns = [*numbers, *rest, *(column for pair in own for column in pair)]
    else:
        gold = np.where(known, chunk.gold.astype(str), "").tolist()
        scores = chunk.teachers[:, :, 0]
        own_scores = [_exact(scores[:, k]) for k in range(len(info.teachers))]
        columns = [_exact(chunk.ensemble[:, 0]), _plain(scores.std(axis=1)), *own_scores]
    for guid, *cells in zip(chunk.guids.to_pylist(), gold, *columns, strict=True):
        yield [_inert(guid), info.task, info.split, *cells]


def _said(names: NDArray[np.object_], says: NDArray[np.float64]) -> tuple[list[str], list[str]]:
    return names[says.argmax(axis=1)].tolist(), _exact(says.max(axis=1))


def _inert(text: str) -> str:
    """Return a text as no spreadsheet takes it for a formula."""
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def _exact(values: NDArray[np.float64]) -> list[str]:
    """Return numbers with as many digits as a float32 needs to be read back unchanged."""
    return values.astype(np.float32).astype(str).tolist()


def _plain(values: NDArray[np.float64]) -> list[str]:
    return [f"{value:.6g}" for value in values.tolist()]
