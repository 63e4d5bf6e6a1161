"""Which stores a path means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mtkd.errors import RunDirError, StoreError
from mtkd.recipe import RUN_RECIPE
from mtkd.soft_labels import read_info

_SOFT_LABELS = "soft_labels"
_DEPTH = 4  # a folder of runs: run, soft_labels, task, store


def find_stores(path: Path) -> list[Path]:
    """Return the stores at `path`, sorted.

    Args: path: one store, a folder of stores, a folder of such folders (a run's soft_labels), or
        a run directory, in which no other folder is looked into. Hidden folders are left out.
    Raises: StoreError, RunDirError: when there is none.
    """
    if path.is_file():
        if path.suffix != ".parquet":
            raise StoreError(
                f"{path}: a soft-label store is a .parquet file; `mtkd import-soft-labels` makes "
                "one of soft labels in other formats"
            )
        return [path]
    if not path.exists():
        raise StoreError(
            f"{path}: no such file or folder; expected a store, a folder of stores or a run "
            "directory. `mtkd soften RECIPE` makes soft labels"
        )
    if found := list(_in_folder(path, _DEPTH)):
        return found
    if (path / "corpus" / "manifest.json").is_file():
        raise RunDirError(f"{path}: the run of a compress recipe, which has no soft labels")
    if (path / RUN_RECIPE).is_file() or (path / _SOFT_LABELS).is_dir():
        raise RunDirError(
            f"{path}: a run directory without soft labels; make them with `mtkd soften {path}` "
            "(a recipe without teachers has none)"
        )
    raise StoreError(
        f"{path}: no soft-label store (.parquet) in it; expected a run directory or a folder of "
        "stores. `mtkd soften RECIPE` makes soft labels"
    )


def guids_by_store(stores: list[Path], guids: list[str]) -> dict[Path, list[str]]:
    """Return, of each store that some guids name by task and split, those guids.

    Raises: StoreError: a guid of none of the stores.
    """
    found: dict[Path, list[str]] = {}
    names = {f"{info.task}/{info.split}": path for path in stores if (info := read_info(path))}
    for guid in map(str.strip, guids):
        name = "/".join(guid.split("/")[:2])
        if name not in names:
            raise StoreError(f"--rows {guid}: of none of these stores; they are of "
                             f"{', '.join(names)}")  # fmt: skip
        found.setdefault(names[name], []).append(guid)
    return found


def _in_folder(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / _SOFT_LABELS).is_dir():
        yield from _in_folder(folder / _SOFT_LABELS, depth - 1)
        return
    if (folder / RUN_RECIPE).is_file() or depth == 0:
        return  # a run's other Parquet files are no stores
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    yield from (entry for entry in entries if entry.suffix == ".parquet" and entry.is_file())
    for entry in entries:
        if entry.is_dir():
            yield from _in_folder(entry, depth - 1)
