"""Some rows of a store, chosen in a stream: the first few of an order, named ones, random ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mtkd.errors import StoreError
from mtkd.inspection.stream import Chunk, chunks
from mtkd.soft_labels import StoreInfo, read_info

_ORDER = [("key", "ascending"), ("guid", "ascending")]


@dataclass(frozen=True)
class Selection:
    """Rows worth looking at, the first most so.

    heading: says which rows these are, and of how many. measure: what they are ranked by, None
    where by nothing. values: of the measure, (rows,); NaN where there is none.
    """

    info: StoreInfo
    heading: str
    chunk: Chunk
    measure: str | None
    values: NDArray[np.float64]


def select(
    info: StoreInfo,
    parts: Iterable[Chunk],
    limit: int,
    measure: Callable[[Chunk], NDArray[np.float64]],
    key: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> tuple[Chunk, NDArray[np.float64]]:
    """Return the `limit` rows that come first, and their measure.

    Args: measure: (rows,) of a chunk. key: from the measure to what is sorted, smallest first.
    Memory is that of one chunk and `limit` rows. Of rows with equal keys the smaller guid comes
    first, so that the file's order of rows does not matter.
    """
    keyed = ((chunk, pa.array(key(measure(chunk)))) for chunk in parts)
    found = _first(info, keyed, limit)
    return found, measure(found)


def random_rows(path: Path, limit: int, seed: int, title: str | None = None) -> Selection:
    """Return the `limit` rows with the smallest SHA-256 of "<seed>:<guid>", smallest first."""

    def keyed() -> Iterator[tuple[Chunk, pa.Array]]:
        for chunk in chunks(path, title):
            guids = chunk.guids.to_pylist()
            yield chunk, pa.array([_hash(seed, guid) for guid in guids], pa.string())

    info = read_info(path)
    found = _first(info, keyed(), limit)
    return unranked(info, f"{len(found.guids):,} random rows, seed {seed}", found)


def rows_by_guid(path: Path, guids: Sequence[str], title: str | None = None) -> Selection:
    """Return the rows named, in the order in which they are named.

    Raises: StoreError: the store has no soft label for one of them.
    """
    info = read_info(path)
    wanted = pa.array(dict.fromkeys(guids), pa.string())
    found, example = empty_chunk(info), None
    for chunk in chunks(path, title):
        example = example or (chunk.guids[0].as_py() if len(chunk.guids) else None)
        here = pc.is_in(chunk.guids, value_set=wanted).to_numpy(zero_copy_only=False)
        found = _join(found, take(chunk, np.flatnonzero(here)))
        if len(found.guids) >= len(wanted):
            break
    places = pc.index_in(wanted, value_set=found.guids)
    if places.null_count:
        lacking = wanted.filter(places.is_null()).to_pylist()
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise StoreError(f"{path}: no soft label for the guid {lacking[0]!r}{more}; expected guids "
                         f"such as {example!r} (<task>/<split>/<id>)")  # fmt: skip
    return unranked(info, "rows by guid", take(found, places.to_numpy()))


def unranked(info: StoreInfo, heading: str, chunk: Chunk) -> Selection:
    """Return rows that are in no order of a measure."""
    return Selection(info, heading, chunk, None, np.full(len(chunk.guids), np.nan))


def take(chunk: Chunk, places: NDArray[np.integer]) -> Chunk:
    """Return the rows at `places`, as copies, so that the chunk itself can be freed."""
    guids = chunk.guids.take(pa.array(places, pa.int64()))
    return Chunk(guids, chunk.gold[places], chunk.teachers[places], chunk.ensemble[places])


def empty_chunk(info: StoreInfo) -> Chunk:
    """Return no rows, in the shape of the store's."""
    teachers = np.empty((0, len(info.teachers), info.outputs))
    return Chunk(pa.array([], pa.string()), np.empty(0), teachers, np.empty((0, info.outputs)))


def _first(info: StoreInfo, keyed: Iterable[tuple[Chunk, pa.Array]], limit: int) -> Chunk:
    kept: tuple[Chunk, pa.Array] | None = None
    for chunk, keys in keyed:
        kept_here = _cut(chunk, keys, limit)
        if kept is not None:
            both = pa.concat_arrays([kept[1], kept_here[1]])
            kept_here = _cut(_join(kept[0], kept_here[0]), both, limit)
        kept = kept_here
    return empty_chunk(info) if kept is None else kept[0]


def _cut(chunk: Chunk, keys: pa.Array, limit: int) -> tuple[Chunk, pa.Array]:
    table = pa.table({"key": keys, "guid": chunk.guids})
    first = pc.sort_indices(table, sort_keys=_ORDER)[:limit].to_numpy().astype(np.int64)
    return take(chunk, first), keys.take(pa.array(first))


def _join(one: Chunk, other: Chunk) -> Chunk:
    return Chunk(
        pa.concat_arrays([one.guids, other.guids]),
        np.concatenate([one.gold, other.gold]),
        np.concatenate([one.teachers, other.teachers]),
        np.concatenate([one.ensemble, other.ensemble]),
    )


def _hash(seed: int, guid: str) -> str:
    return hashlib.sha256(f"{seed}:{guid}".encode()).hexdigest()
